"""Cancellation: a cancelled download leaves only complete files, at whichever await it is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any

import pytest

from packagex_async import AsyncPackageX, ProgressEvent, ProgressKind, RetryPolicy
from packagex_async.testing import Stall
from tests.faults.invariant import read_files
from tests.faults.responses import text_response, truncated_response
from tests.faults.scenario import DownloadScenario, RawDownloadScenario
from tests.faults.storage_server import ConnectionEnd, Request, Responder, ServerAction, StoredObject


async def test_before_response_head(raw: RawDownloadScenario) -> None:
    """Cancelled after the request was sent and before the response starts."""
    reached = asyncio.Event()
    raw.always_respond_with(_signalling(reached, ConnectionEnd.STALL))
    await _download_and_cancel(raw, reached)


async def test_within_body(raw: RawDownloadScenario) -> None:
    """Cancelled after a part of the body was received."""
    reached = asyncio.Event()
    raw.always_respond_with(truncated_response(30_000, ConnectionEnd.STALL))
    await _download_and_cancel(raw, reached, lambda event: event.received >= 30_000)


async def test_within_resumed_body(raw: RawDownloadScenario) -> None:
    """Cancelled after a resumed request; the bytes of both requests are removed."""
    reached = asyncio.Event()
    raw.respond_with(truncated_response(30_000), truncated_response(1, ConnectionEnd.STALL))
    await _download_and_cancel(raw, reached, lambda event: event.received > 30_000)


@pytest.mark.one_connection
async def test_between_two_attempts(raw: RawDownloadScenario) -> None:
    """Cancelled during the wait before the next attempt; the wait ends at once."""
    raw.options["retry"] = RetryPolicy(wait_initial=1000, wait_max=1000)
    reached = asyncio.Event()
    raw.always_respond_with(truncated_response(30_000))
    await _download_and_cancel(raw, reached, lambda event: event.kind is ProgressKind.RETRYING)


async def test_while_new_url_is_requested(raw: RawDownloadScenario) -> None:
    """Cancelled while the API does not answer the request for a new URL."""
    reached = asyncio.Event()
    async with raw.client() as px:
        export = await px.exports.retrieve(raw.export_id, include_csv=True, include_json=True)
        raw.server.inject(Stall(0, on="api"), times=None)
        raw.always_respond_with(_signalling(reached, text_response("410 Gone")))
        await _cancel(raw, px.exports.download(export, raw.folder), reached)


async def test_while_artifacts_are_queued(scenario: DownloadScenario) -> None:
    """Cancelled with one artifact in transfer and three in the queue: all four end."""
    scenario.server.inject(Stall(0), times=None)
    reached = asyncio.Event()
    async with scenario.client() as px:
        download = px.exports.download(
            scenario.export_id, scenario.folder, concurrency=1, on_progress=lambda _: reached.set()
        )
        await _cancel(scenario, download, reached)


@pytest.mark.parametrize("durability", [None, "fsync"])
async def test_while_file_is_published(raw: RawDownloadScenario, durability: Any) -> None:
    """Cancelled at any time after the last byte: the file is the old one or the complete new one."""
    outcomes = set()
    async with raw.client() as px:
        turns = 0
        while raw.content not in outcomes:
            raw.path().write_bytes(b"old")
            outcomes.add(await _cancel_after_last_byte(px, raw, turns, durability))
            turns += 1 + turns // 10
    assert outcomes <= {b"old", raw.content}


@pytest.mark.one_connection
async def test_by_timeout_of_caller(raw: RawDownloadScenario) -> None:
    """`asyncio.timeout` ends a stalled download."""
    raw.always_respond_with(truncated_response(30_000, ConnectionEnd.STALL))
    async with raw.client() as px:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await px.exports.download(raw.export_id, raw.folder)
    raw.check({})


async def test_by_failed_sibling_task(raw: RawDownloadScenario) -> None:
    """The failure of another task in the caller's task group cancels the download."""
    reached = asyncio.Event()
    raw.always_respond_with(_signalling(reached, truncated_response(30_000, ConnectionEnd.STALL)))

    async def fail() -> None:
        await reached.wait()
        raise LookupError("error of the caller")

    async with raw.client() as px:
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(px.exports.download(raw.export_id, raw.folder))
                group.create_task(fail())
    assert caught.value.subgroup(LookupError) is not None
    raw.check({})


async def test_by_error_in_callback(raw: RawDownloadScenario) -> None:
    """An exception in `on_progress` ends the download and is raised in an `ExceptionGroup`."""

    def broken(_: ProgressEvent) -> None:
        raise LookupError("error of the caller")

    async with raw.client() as px:
        with pytest.raises(ExceptionGroup) as caught:
            await px.exports.download(raw.export_id, raw.folder, on_progress=broken)
    assert caught.value.subgroup(LookupError) is not None
    raw.check({})


async def test_stream_left_early(raw: RawDownloadScenario) -> None:
    """Leaving the block in the middle of a body releases the connection."""
    raw.always_respond_with(truncated_response(30_000, ConnectionEnd.STALL))
    async with raw.client() as px:
        async with px.exports.stream(raw.export_id, "csv") as body:
            async for block in body:
                assert raw.content.startswith(block)
                break
    raw.check({})


@pytest.mark.parametrize("method", ["rows", "row_batches"])
async def test_rows_left_early(raw: RawDownloadScenario, method: str) -> None:
    """Leaving the loop in the middle of a body releases the connection."""
    raw.replace_object(b"id\n" + b"1\n" * 50_000)
    raw.always_respond_with(truncated_response(30_000, ConnectionEnd.STALL))
    async with raw.client() as px, aclosing(getattr(px.exports, method)(raw.export_id)) as rows:
        async for row in rows:
            assert row in ({"id": "1"}, [{"id": "1"}] * 1000)
            break
    raw.check({})


async def test_rows_cancelled(raw: RawDownloadScenario) -> None:
    """A cancellation while the iteration waits for the next rows releases the connection."""
    raw.replace_object(b"id\n" + b"1\n" * 50_000)
    raw.always_respond_with(truncated_response(30_000, ConnectionEnd.STALL))
    rows: list[object] = []

    async def read(px: AsyncPackageX) -> None:
        async for row in px.exports.rows(raw.export_id):
            rows.append(row)

    async with raw.client() as px:
        task = asyncio.create_task(read(px))
        while not rows:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    raw.check({})


def _signalling(reached: asyncio.Event, sent: ConnectionEnd | Responder) -> Responder:
    """Return a responder that sets `reached` as soon as the request has arrived."""

    def respond(request: Request, stored: StoredObject) -> ServerAction:
        reached.set()
        return sent if isinstance(sent, ConnectionEnd) else sent(request, stored)

    return respond


async def _download_and_cancel(
    raw: RawDownloadScenario, reached: asyncio.Event, when: Callable[[ProgressEvent], bool] = lambda _: False
) -> None:
    """Cancel a download once `reached` is set, or once `when` is true for an event."""

    def on_progress(event: ProgressEvent) -> None:
        if when(event):
            reached.set()

    async with raw.client() as px:
        await _cancel(raw, px.exports.download(raw.export_id, raw.folder, on_progress=on_progress), reached)


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


async def _cancel_after_last_byte(
    px: AsyncPackageX, raw: RawDownloadScenario, turns: int, durability: Any
) -> bytes:
    """Cancel an overwriting download `turns` turns after its last byte; return the content of the file."""
    last = asyncio.Event()

    def on_progress(event: ProgressEvent) -> None:
        if event.received == len(raw.content):
            last.set()

    download = px.exports.download(
        raw.export_id, raw.folder, overwrite=True, on_progress=on_progress, durability=durability
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
