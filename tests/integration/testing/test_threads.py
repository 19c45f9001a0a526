"""The emulator in a separate thread."""

from __future__ import annotations

import threading

import aiohttp
import pytest

from packagex_async.testing import Emulator, serve_in_thread
from tests.integration.testing.client import api_request


async def test_serves_from_a_thread() -> None:
    """It answers any event loop, and stops at the end of the block."""
    with serve_in_thread(Emulator(populate=False)) as server:
        assert (await api_request(server)).json["data"] == []
    with pytest.raises(aiohttp.ClientConnectorError):
        await api_request(server)


def test_thread_ends_after_an_error() -> None:
    """An exception in the block is raised unchanged."""

    def fail() -> None:
        with serve_in_thread(Emulator(populate=False)):
            raise ValueError("in the block")

    with pytest.raises(ValueError, match="in the block"):
        fail()
    assert "packagex-emulator" not in {thread.name for thread in threading.enumerate()}
