"""Common fixtures, and the settings of Hypothesis."""

from __future__ import annotations

import gc
import io
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest.mock import Mock

import aioresponses
import aioresponses.core
import pytest
from aiohttp import ClientResponse
from hypothesis import HealthCheck, settings

from packagex_async import AsyncPackageX
from packagex_async.testing import Emulator
from tests.support import NO_BACKOFF, examples
from tests.time_limits import limits

__all__ = ["limits"]

# No limits of time, because machines may be slow. In CI, each run uses the same examples.
settings.register_profile(
    "packagex",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
    max_examples=examples(100),
)
settings.load_profile("packagex")

# Shells let background jobs ignore SIGINT, which some tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Leave the collected tests out of garbage collections, which would take about 0.1 s each."""
    gc.freeze()


class MockResponse(ClientResponse):
    """A response with the `stream_writer` that aiohttp 3.14 requires and aioresponses does not pass."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("stream_writer", Mock(output_size=0))
        super().__init__(*args, **kwargs)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses.aioresponses]:
    """Mock the responses of the API; requests to the loopback interface are sent."""
    monkeypatch.setattr(aioresponses.core, "ClientResponse", MockResponse)
    with aioresponses.aioresponses(passthrough=["http://127.0.0.1"]) as responses:
        yield responses


@pytest.fixture
async def server() -> AsyncIterator[Emulator]:
    """Provide an empty emulator on the event loop of the test."""
    async with Emulator(populate=False) as server:
        yield server


@pytest.fixture
async def px(server: Emulator) -> AsyncIterator[AsyncPackageX]:
    """Provide a client of the emulator that does not wait between attempts."""
    async with server.client(retry=NO_BACKOFF) as px:
        yield px


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Capture the messages of all loggers at DEBUG."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(before)
