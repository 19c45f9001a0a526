"""Closing the client: a download ends with an error that says so, and leaves what a cancellation leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from packagex_async import ClientClosedError, ProgressEvent, ProgressKind, RetryPolicy
from packagex_async.testing import Stall
from tests.faults.host import Ending, Request, Sent, Stored
from tests.faults.invariant import held
from tests.faults.plays import cut, says
from tests.faults.trial import Raw, Trial


async def test_before_the_head(raw: Raw) -> None:
    """The host has the request, and has said nothing yet."""
    reached = asyncio.Event()

    def play(_: Request, __: Stored) -> Sent:
        reached.set()
        return Ending.HOLD

    raw.always(play)
    await _closed(raw, reached)


async def test_within_the_body(raw: Raw) -> None:
    """Some bytes are here; the rest is awaited."""
    raw.always(cut(30_000, Ending.HOLD))
    await _closed(raw, asyncio.Event(), lambda event: event.received >= 30_000)


async def test_within_a_resumed_body(raw: Raw) -> None:
    """The second half is awaited; what the first brought goes, too."""
    raw.plays(cut(30_000), cut(1, Ending.HOLD))
    await _closed(raw, asyncio.Event(), lambda event: event.received > 30_000)


@pytest.mark.one_connection
async def test_between_two_tries(raw: Raw) -> None:
    """Nobody waits for a wait between tries."""
    raw.options["retry"] = RetryPolicy(wait_initial=1000, wait_max=1000)
    raw.always(cut(30_000))
    await _closed(raw, asyncio.Event(), lambda event: event.kind is ProgressKind.RETRYING)


async def test_while_a_fresh_link_is_awaited(raw: Raw) -> None:
    """The API is silent, and the transfer waits for it."""
    reached = asyncio.Event()

    def play(request: Request, stored: Stored) -> Sent:
        raw.server.inject(Stall(0, on="api"), times=None)
        reached.set()
        return says("410 Gone")(request, stored)

    raw.always(play)
    await _closed(raw, reached)


async def test_while_artifacts_wait_for_their_turn(trial: Trial) -> None:
    """Four artifacts on a host that is silent: those in the queue end as those at work do."""
    trial.server.inject(Stall(0), times=None)
    async with trial.client() as px:
        task = asyncio.create_task(px.exports.download(trial.export_id, trial.folder, concurrency=1))
        while len(trial.server.requests) < 2:
            await asyncio.sleep(0)
        await px.aclose()
        with pytest.raises(ClientClosedError):
            await task
    trial.check({})
    assert held(trial.folder) == {}


async def test_a_stream_whose_consumer_does_not_read(raw: Raw) -> None:
    """The next read raises the error, and the connection is closed."""
    async with raw.client() as px:
        async with px.exports.stream(raw.export_id, "csv") as body:
            assert raw.content.startswith(await anext(body))
            await px.aclose()
            with pytest.raises(ClientClosedError):
                await anext(body)
    raw.check({})


async def _closed(
    raw: Raw, reached: asyncio.Event, when: Callable[[ProgressEvent], bool] = lambda _: False
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
        assert held(raw.folder) == {}
