"""Closing the client: a download ends with an error that says so, and leaves what a cancellation leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from packagex_async import ClientClosedError, ProgressEvent, ProgressKind, RetryPolicy
from packagex_async.testing import Stall
from tests.faults.invariant import read_files
from tests.faults.responses import text_response, truncated_response
from tests.faults.scenario import DownloadScenario, RawDownloadScenario
from tests.faults.storage_server import ConnectionEnd, Request, ServerAction, StoredObject


async def test_before_the_head(raw: RawDownloadScenario) -> None:
    """The host has the request, and has said nothing yet."""
    reached = asyncio.Event()

    def play(_: Request, __: StoredObject) -> ServerAction:
        reached.set()
        return ConnectionEnd.STALL

    raw.always_respond_with(play)
    await _closed(raw, reached)


async def test_within_the_body(raw: RawDownloadScenario) -> None:
    """Some bytes are here; the rest is awaited."""
    raw.always_respond_with(truncated_response(30_000, ConnectionEnd.STALL))
    await _closed(raw, asyncio.Event(), lambda event: event.received >= 30_000)


async def test_within_a_resumed_body(raw: RawDownloadScenario) -> None:
    """The second half is awaited; what the first brought goes, too."""
    raw.respond_with(truncated_response(30_000), truncated_response(1, ConnectionEnd.STALL))
    await _closed(raw, asyncio.Event(), lambda event: event.received > 30_000)


@pytest.mark.one_connection
async def test_between_two_tries(raw: RawDownloadScenario) -> None:
    """Nobody waits for a wait between tries."""
    raw.options["retry"] = RetryPolicy(wait_initial=1000, wait_max=1000)
    raw.always_respond_with(truncated_response(30_000))
    await _closed(raw, asyncio.Event(), lambda event: event.kind is ProgressKind.RETRYING)


async def test_while_a_fresh_link_is_awaited(raw: RawDownloadScenario) -> None:
    """The API is silent, and the transfer waits for it."""
    reached = asyncio.Event()

    def play(request: Request, stored: StoredObject) -> ServerAction:
        raw.server.inject(Stall(0, on="api"), times=None)
        reached.set()
        return text_response("410 Gone")(request, stored)

    raw.always_respond_with(play)
    await _closed(raw, reached)


async def test_while_artifacts_wait_for_their_turn(scenario: DownloadScenario) -> None:
    """Four artifacts on a host that is silent: those in the queue end as those at work do."""
    scenario.server.inject(Stall(0), times=None)
    async with scenario.client() as px:
        task = asyncio.create_task(px.exports.download(scenario.export_id, scenario.folder, concurrency=1))
        while len(scenario.server.requests) < 2:
            await asyncio.sleep(0)
        await px.aclose()
        with pytest.raises(ClientClosedError):
            await task
    scenario.check({})
    assert read_files(scenario.folder) == {}


async def test_a_stream_whose_consumer_does_not_read(raw: RawDownloadScenario) -> None:
    """The next read raises the error, and the connection is closed."""
    async with raw.client() as px:
        async with px.exports.stream(raw.export_id, "csv") as body:
            assert raw.content.startswith(await anext(body))
            await px.aclose()
            with pytest.raises(ClientClosedError):
                await anext(body)
    raw.check({})


async def _closed(
    raw: RawDownloadScenario, reached: asyncio.Event, when: Callable[[ProgressEvent], bool] = lambda _: False
) -> None:
    """Download until `reached`, or until a step is told for which it is `when`; close the client."""

    def told(event: ProgressEvent) -> None:
        if when(event):
            reached.set()

    async with raw.client() as px:
        task = asyncio.create_task(px.exports.download(raw.export_id, raw.folder, on_progress=told))
        await reached.wait()
        await px.aclose()
        with pytest.raises(ClientClosedError, match="the client was closed"):
            await task
        raw.check({})
        assert read_files(raw.folder) == {}
