"""What every test may use: the JSON API played by aioresponses, and Hypothesis without deadlines."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest.mock import Mock

import aioresponses
import aioresponses.core
import pytest
from aiohttp import ClientResponse
from hypothesis import settings

from packagex_async import AsyncPackageX
from packagex_async.testing import Emulator
from tests.support import AT_ONCE, examples

# A slow machine is no failure; in CI the same examples are tried each time.
settings.register_profile(
    "house",
    deadline=None,
    derandomize="CI" in os.environ,
    max_examples=examples(100),
)
settings.load_profile("house")

# A shell has the jobs that it starts in the background ignore Ctrl-C, which some tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)


class _Answer(ClientResponse):
    """An answer that aioresponses can build, which does not know the writer that aiohttp 3.14 wants."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("stream_writer", Mock(output_size=0))
        super().__init__(*args, **kwargs)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses.aioresponses]:
    """Answers for the API's requests; what goes to the loopback is really sent."""
    monkeypatch.setattr(aioresponses.core, "ClientResponse", _Answer)
    with aioresponses.aioresponses(passthrough=["http://127.0.0.1"]) as answers:
        yield answers


@pytest.fixture
async def server() -> AsyncIterator[Emulator]:
    """An empty emulator on the test's own loop."""
    async with Emulator(populate=False) as server:
        yield server


@pytest.fixture
async def px(server: Emulator) -> AsyncIterator[AsyncPackageX]:
    """A client of it that does not wait between tries."""
    async with server.client(retry=AT_ONCE) as px:
        yield px
