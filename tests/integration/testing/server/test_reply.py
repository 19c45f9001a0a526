"""Sending responses, regular and faulty."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from yarl import URL

from packagex_async.testing import Cut, Emulator, Fault, LyingLength, Refuse, Reset, Stall, Trickle
from tests.integration.testing.client import BODY, api_request, fetch, raw_request


@pytest.mark.parametrize("fault", [Cut(after=100), Reset(after=100), LyingLength(by=5)])
async def test_incomplete_body(server: Emulator, url: str, fault: Fault) -> None:
    """A cut, a reset or a length that is too large is an error of the client. The next request succeeds."""
    server.inject(fault)
    with pytest.raises((aiohttp.ClientPayloadError, ConnectionResetError)):
        await fetch(url)
    assert (await fetch(url)).body == BODY


async def test_cut_sends_a_fin_and_reset_an_rst(server: Emulator, url: str) -> None:
    """A cut sends exactly its bytes."""
    server.inject(Cut(after=100))
    server.inject(Reset(after=0))
    head, _, body = (await raw_request(url)).partition(b"\r\n\r\n")
    assert b"Content-Length: 2048" in head
    assert body == BODY[:100]
    with pytest.raises(ConnectionResetError):
        await raw_request(url)


async def test_excess_bytes_are_sent(server: Emulator, url: str) -> None:
    """A length that is too small is followed by all bytes."""
    server.inject(LyingLength(by=-48))
    head, _, body = (await raw_request(url)).partition(b"\r\n\r\n")
    assert b"Content-Length: 2000" in head
    assert body == BODY


@pytest.mark.parametrize("host", ["api", "storage"])
async def test_refused_request_gets_no_response(server: Emulator, url: str, host: Any) -> None:
    """It is recorded without a status."""
    server.inject(Refuse(on=host), times=None)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await (api_request(server) if host == "api" else fetch(url))
    assert server.requests[0].status is None


async def test_stall_sends_its_bytes_only(server: Emulator, url: str) -> None:
    """The connection stays open without further bytes."""
    server.inject(Stall(after=100))
    async with aiohttp.ClientSession() as session, session.get(URL(url, encoded=True)) as response:
        assert await response.content.readexactly(100) == BODY[:100]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(response.content.read(1), 0.01)


@pytest.mark.parametrize("delay", [0.001, 0])
async def test_trickle_sends_all_bytes(server: Emulator, url: str, delay: float) -> None:
    """The body arrives in small chunks."""
    server.inject(Trickle(block=500, delay=delay))
    assert (await fetch(url)).body == BODY
