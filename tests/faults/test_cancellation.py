"""Cancellation: at any await, nothing is left but what is whole."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from packagex_async import AsyncPackageX, ProgressEvent, ProgressKind, RetryPolicy
from packagex_async.testing import Stall
from tests.faults.host import Ending, Play, Request, Sent, Stored
from tests.faults.invariant import held
from tests.faults.plays import cut, says
from tests.faults.trial import Raw, Trial


async def test_before_the_head(raw: Raw) -> None:
    """The host has the request, and has said nothing yet."""
    reached = asyncio.Event()
    raw.always(_reaching(reached, Ending.HOLD))
    await _cancelled(raw, reached)


async def test_within_the_body(raw: Raw) -> None:
    """Some bytes are here; the rest is awaited."""
    reached = asyncio.Event()
    raw.always(cut(30_000, Ending.HOLD))
    await _cancelled(raw, reached, lambda event: event.received >= 30_000)


async def test_within_a_resumed_body(raw: Raw) -> None:
    """The second half is awaited; what the first brought goes, too."""
    reached = asyncio.Event()
    raw.plays(cut(30_000), cut(1, Ending.HOLD))
    await _cancelled(raw, reached, lambda event: event.received > 30_000)


@pytest.mark.one_connection
async def test_between_two_tries(raw: Raw) -> None:
    """Nobody waits for a wait between tries."""
    raw.options["retry"] = RetryPolicy(wait_initial=1000, wait_max=1000)
    reached = asyncio.Event()
    raw.always(cut(30_000))
    await _cancelled(raw, reached, lambda event: event.kind is ProgressKind.RETRYING)


async def test_while_a_fresh_link_is_awaited(raw: Raw) -> None:
    """The API is silent, and the transfer waits for it."""
    reached = asyncio.Event()
    async with raw.client() as px:
        export = await px.exports.retrieve(raw.export_id, include_csv=True, include_json=True)
        raw.server.inject(Stall(0, on="api"), times=None)
        raw.always(_reaching(reached, says("410 Gone")))
        await _cancel(raw, px.exports.download(export, raw.folder), reached)


async def test_while_a_connection_is_awaited(trial: Trial) -> None:
    """Four artifacts on a host that is silent: those in the queue go as those at work do."""
    trial.server.inject(Stall(0), times=None)
    reached = asyncio.Event()
    async with trial.client() as px:
        download = px.exports.download(
            trial.export_id, trial.folder, concurrency=1, on_progress=lambda _: reached.set()
        )
        await _cancel(trial, download, reached)


@pytest.mark.parametrize("durability", [None, "fsync"])
async def test_while_the_file_is_published(raw: Raw, durability: Any) -> None:
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
async def test_by_a_timeout_of_the_callers(raw: Raw) -> None:
    """`asyncio.timeout` around a download that stands still ends it."""
    raw.always(cut(30_000, Ending.HOLD))
    async with raw.client() as px:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await px.exports.download(raw.export_id, raw.folder)
    raw.check({})


async def test_by_a_failure_of_a_sibling_of_the_callers(raw: Raw) -> None:
    """In a task group of the caller's, a download goes down with the group."""
    reached = asyncio.Event()
    raw.always(_reaching(reached, cut(30_000, Ending.HOLD)))

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


async def test_by_an_error_of_the_callers_callback(raw: Raw) -> None:
    """A bug in `on_progress` is passed on, and leaves nothing behind."""

    def broken(_: ProgressEvent) -> None:
        raise LookupError("the caller's own")

    async with raw.client() as px:
        with pytest.raises(ExceptionGroup) as caught:
            await px.exports.download(raw.export_id, raw.folder, on_progress=broken)
    assert caught.value.subgroup(LookupError) is not None
    raw.check({})


async def test_a_stream_that_is_left(raw: Raw) -> None:
    """Leaving the block in the middle of a body lets its connection go."""
    raw.always(cut(30_000, Ending.HOLD))
    async with raw.client() as px:
        async with px.exports.stream(raw.export_id, "csv") as body:
            async for block in body:
                assert raw.content.startswith(block)
                break
    raw.check({})


def _reaching(reached: asyncio.Event, sent: Ending | Play) -> Play:
    """A play that tells when the host has the request."""

    def play(request: Request, stored: Stored) -> Sent:
        reached.set()
        return sent if isinstance(sent, Ending) else sent(request, stored)

    return play


async def _cancelled(
    raw: Raw, reached: asyncio.Event, when: Callable[[ProgressEvent], bool] = lambda _: False
) -> None:
    """Download until `reached`, or until a step is told for which it is `when`; cancel then, and look."""

    def told(event: ProgressEvent) -> None:
        if when(event):
            reached.set()

    async with raw.client() as px:
        await _cancel(raw, px.exports.download(raw.export_id, raw.folder, on_progress=told), reached)


async def _cancel(trial: Trial, download: Coroutine[Any, Any, object], reached: asyncio.Event) -> None:
    task = asyncio.create_task(download)
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    trial.check({})
    assert held(trial.folder) == {}


async def _cancelled_late(px: AsyncPackageX, raw: Raw, turns: int, durability: Any) -> bytes:
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
