"""Cancellation: at any await, nothing is left but what is whole."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from packagex_async import AsyncPackageX, ProgressEvent, ProgressKind, RetryPolicy
from packagex_async.testing import Stall
from tests.faults.invariant import read_files
from tests.faults.responses import text_response, truncated_response
from tests.faults.scenario import DownloadScenario, RawDownloadScenario
from tests.faults.storage_server import ConnectionEnd, Request, Responder, ServerAction, StoredObject


async def test_before_the_head(raw: RawDownloadScenario) -> None:
    """The host has the request, and has said nothing yet."""
    reached = asyncio.Event()
    raw.always_respond_with(_reaching(reached, ConnectionEnd.STALL))
    await _cancelled(raw, reached)


async def test_within_the_body(raw: RawDownloadScenario) -> None:
    """Some bytes are here; the rest is awaited."""
    reached = asyncio.Event()
    raw.always_respond_with(truncated_response(30_000, ConnectionEnd.STALL))
    await _cancelled(raw, reached, lambda event: event.received >= 30_000)


async def test_within_a_resumed_body(raw: RawDownloadScenario) -> None:
    """The second half is awaited; what the first brought goes, too."""
    reached = asyncio.Event()
    raw.respond_with(truncated_response(30_000), truncated_response(1, ConnectionEnd.STALL))
    await _cancelled(raw, reached, lambda event: event.received > 30_000)


@pytest.mark.one_connection
async def test_between_two_tries(raw: RawDownloadScenario) -> None:
    """Nobody waits for a wait between tries."""
    raw.options["retry"] = RetryPolicy(wait_initial=1000, wait_max=1000)
    reached = asyncio.Event()
    raw.always_respond_with(truncated_response(30_000))
    await _cancelled(raw, reached, lambda event: event.kind is ProgressKind.RETRYING)


async def test_while_a_fresh_link_is_awaited(raw: RawDownloadScenario) -> None:
    """The API is silent, and the transfer waits for it."""
    reached = asyncio.Event()
    async with raw.client() as px:
        export = await px.exports.retrieve(raw.export_id, include_csv=True, include_json=True)
        raw.server.inject(Stall(0, on="api"), times=None)
        raw.always_respond_with(_reaching(reached, text_response("410 Gone")))
        await _cancel(raw, px.exports.download(export, raw.folder), reached)


async def test_while_a_connection_is_awaited(scenario: DownloadScenario) -> None:
    """Four artifacts on a host that is silent: those in the queue go as those at work do."""
    scenario.server.inject(Stall(0), times=None)
    reached = asyncio.Event()
    async with scenario.client() as px:
        download = px.exports.download(
            scenario.export_id, scenario.folder, concurrency=1, on_progress=lambda _: reached.set()
        )
        await _cancel(scenario, download, reached)


@pytest.mark.parametrize("durability", [None, "fsync"])
async def test_while_the_file_is_published(raw: RawDownloadScenario, durability: Any) -> None:
    """At every turn of the loop from the last byte to the end: the old file, or the whole new one."""
    outcomes = set()
    async with raw.client() as px:
        turns = 0
        while raw.content not in outcomes:
            raw.path().write_bytes(b"old")
            outcomes.add(await _cancelled_late(px, raw, turns, durability))
            turns += 1 + turns // 10
    assert outcomes <= {b"old", raw.content}


@pytest.mark.one_connection
async def test_by_a_timeout_of_the_callers(raw: RawDownloadScenario) -> None:
    """`asyncio.timeout` around a download that stands still ends it."""
    raw.always_respond_with(truncated_response(30_000, ConnectionEnd.STALL))
    async with raw.client() as px:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await px.exports.download(raw.export_id, raw.folder)
    raw.check({})


async def test_by_a_failure_of_a_sibling_of_the_callers(raw: RawDownloadScenario) -> None:
    """In a task group of the caller's, a download goes down with the group."""
    reached = asyncio.Event()
    raw.always_respond_with(_reaching(reached, truncated_response(30_000, ConnectionEnd.STALL)))

    async def fail() -> None:
        await reached.wait()
        raise LookupError("the caller's own")

    async with raw.client() as px:
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(px.exports.download(raw.export_id, raw.folder))
                group.create_task(fail())
    assert caught.value.subgroup(LookupError) is not None
    raw.check({})


async def test_by_an_error_of_the_callers_callback(raw: RawDownloadScenario) -> None:
    """A bug in `on_progress` is passed on, and leaves nothing behind."""

    def broken(_: ProgressEvent) -> None:
        raise LookupError("the caller's own")

    async with raw.client() as px:
        with pytest.raises(ExceptionGroup) as caught:
            await px.exports.download(raw.export_id, raw.folder, on_progress=broken)
    assert caught.value.subgroup(LookupError) is not None
    raw.check({})


async def test_a_stream_that_is_left(raw: RawDownloadScenario) -> None:
    """Leaving the block in the middle of a body lets its connection go."""
    raw.always_respond_with(truncated_response(30_000, ConnectionEnd.STALL))
    async with raw.client() as px:
        async with px.exports.stream(raw.export_id, "csv") as body:
            async for block in body:
                assert raw.content.startswith(block)
                break
    raw.check({})


def _reaching(reached: asyncio.Event, sent: ConnectionEnd | Responder) -> Responder:
    """A play that tells when the host has the request."""

    def play(request: Request, stored: StoredObject) -> ServerAction:
        reached.set()
        return sent if isinstance(sent, ConnectionEnd) else sent(request, stored)

    return play


async def _cancelled(
    raw: RawDownloadScenario, reached: asyncio.Event, when: Callable[[ProgressEvent], bool] = lambda _: False
) -> None:
    """Download until `reached`, or until a step is told for which it is `when`; cancel then, and look."""

    def told(event: ProgressEvent) -> None:
        if when(event):
            reached.set()

    async with raw.client() as px:
        await _cancel(raw, px.exports.download(raw.export_id, raw.folder, on_progress=told), reached)


async def _cancel(
    scenario: DownloadScenario, download: Coroutine[Any, Any, object], reached: asyncio.Event
) -> None:
    task = asyncio.create_task(download)
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    scenario.check({})
    assert read_files(scenario.folder) == {}


async def _cancelled_late(px: AsyncPackageX, raw: RawDownloadScenario, turns: int, durability: Any) -> bytes:
    """Overwrite; cancel `turns` turns of the loop behind the last byte; what is there then."""
    last = asyncio.Event()

    def told(event: ProgressEvent) -> None:
        if event.received == len(raw.content):
            last.set()

    download = px.exports.download(
        raw.export_id, raw.folder, overwrite=True, on_progress=told, durability=durability
    )
    task = asyncio.create_task(download)
    await last.wait()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    raw.check({raw.path().name: b"old"})
    return raw.path().read_bytes()
