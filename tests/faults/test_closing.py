"""Closing the client: running downloads end with `ClientClosedError`, and leave only complete files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from packagex_async import AsyncPackageX, ClientClosedError, ProgressEvent, ProgressKind, RetryPolicy
from packagex_async.testing import Stall
from tests.faults.invariant import read_files
from tests.faults.responses import text_response, truncated_response
from tests.faults.scenario import DownloadScenario, RawDownloadScenario
from tests.faults.storage_server import ConnectionEnd, Request, ServerAction, StoredObject


async def test_before_response_head(raw: RawDownloadScenario) -> None:
    """Closed after the request was sent and before the response starts."""
    reached = asyncio.Event()

    def respond(_: Request, __: StoredObject) -> ServerAction:
        reached.set()
        return ConnectionEnd.STALL

    raw.always_respond_with(respond)
    await _download_and_close(raw, reached)


async def test_within_body(raw: RawDownloadScenario) -> None:
    """Closed after a part of the body was received."""
    raw.always_respond_with(truncated_response(30_000, ConnectionEnd.STALL))
    await _download_and_close(raw, asyncio.Event(), lambda event: event.received >= 30_000)


async def test_within_resumed_body(raw: RawDownloadScenario) -> None:
    """Closed after a resumed request; the bytes of both requests are removed."""
    raw.respond_with(truncated_response(30_000), truncated_response(1, ConnectionEnd.STALL))
    await _download_and_close(raw, asyncio.Event(), lambda event: event.received > 30_000)


@pytest.mark.one_connection
async def test_between_two_attempts(raw: RawDownloadScenario) -> None:
    """Closed during the wait before the next attempt; the wait ends at once."""
    raw.options["retry"] = RetryPolicy(wait_initial=1000, wait_max=1000)
    raw.always_respond_with(truncated_response(30_000))
    await _download_and_close(raw, asyncio.Event(), lambda event: event.kind is ProgressKind.RETRYING)


async def test_while_new_url_is_requested(raw: RawDownloadScenario) -> None:
    """Closed while the API does not answer the request for a new URL."""
    reached = asyncio.Event()

    def respond(request: Request, stored: StoredObject) -> ServerAction:
        raw.server.inject(Stall(0, on="api"), times=None)
        reached.set()
        return text_response("410 Gone")(request, stored)

    raw.always_respond_with(respond)
    await _download_and_close(raw, reached)


async def test_while_artifacts_are_queued(scenario: DownloadScenario) -> None:
    """Closed with one artifact in transfer and three in the queue: all four end."""
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


async def test_stream_without_reader(raw: RawDownloadScenario) -> None:
    """The next read raises the error, and the connection is closed."""
    async with raw.client() as px:
        async with px.exports.stream(raw.export_id, "csv") as body:
            assert raw.content.startswith(await anext(body))
            await px.aclose()
            with pytest.raises(ClientClosedError):
                await anext(body)
    raw.check({})


async def test_rows_without_reader(raw: RawDownloadScenario) -> None:
    """After the decoded rows, the iteration raises the error, and the connection is closed."""
    raw.replace_object(b"id\n" + b"1\n" * 50_000)
    raw.always_respond_with(truncated_response(30_000, ConnectionEnd.STALL))
    async with raw.client() as px:
        rows = px.exports.rows(raw.export_id)
        await anext(rows)
        await px.aclose()
        with pytest.raises(ClientClosedError, match="the client is closed"):
            async for row in rows:
                assert row == {"id": "1"}
    raw.check({})


async def test_rows_with_reader(raw: RawDownloadScenario) -> None:
    """An iteration that waits for rows ends at once."""
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
        await px.aclose()
        with pytest.raises(ClientClosedError, match="the client was closed while rows\\(\\) was running"):
            await task
    raw.check({})


async def _download_and_close(
    raw: RawDownloadScenario, reached: asyncio.Event, when: Callable[[ProgressEvent], bool] = lambda _: False
) -> None:
    """Close the client once `reached` is set, or once `when` is true for an event."""

    def on_progress(event: ProgressEvent) -> None:
        if when(event):
            reached.set()

    async with raw.client() as px:
        task = asyncio.create_task(px.exports.download(raw.export_id, raw.folder, on_progress=on_progress))
        await reached.wait()
        await px.aclose()
        with pytest.raises(ClientClosedError, match="the client was closed"):
            await task
        raw.check({})
        assert read_files(raw.folder) == {}
