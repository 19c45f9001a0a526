"""Calls run in threads, and their outcomes arrive on the event loop in order."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator

import pytest

from packagex_async._files.call_queue import Call, CallQueue
from packagex_async._files.thread_pool import ThreadPool
from tests.unit.files.helpers import Gate

Outcome = tuple[object, BaseException | None]


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    with ThreadPool(2) as pool:
        yield pool


async def outcomes_of(queue: CallQueue, *calls: Call) -> list[Outcome]:
    """Add calls, and wait for all of their outcomes."""
    outcomes: list[Outcome] = []
    done = asyncio.Event()

    def on_done(result: object, error: BaseException | None) -> None:
        assert threading.current_thread() is threading.main_thread()
        outcomes.append((result, error))
        if len(outcomes) == len(calls):
            done.set()

    for call in calls:
        queue.add(call, on_done)
    await done.wait()
    return outcomes


async def test_the_outcomes_arrive_in_order(pool: ThreadPool) -> None:
    """An outcome is a result or an error; an error does not stop the queue."""
    error = ValueError("no")

    def fail() -> None:
        raise error

    outcomes = await outcomes_of(CallQueue(pool), lambda: 1, fail, lambda: 3)
    assert outcomes == [(1, None), (None, error), (3, None)]


async def test_with_stop_on_error_later_calls_are_skipped(pool: ThreadPool) -> None:
    """They have the same error, also if they are added later."""
    queue = CallQueue(pool, stop_on_error=True)
    made: list[int] = []
    error = ValueError("no")

    def fail() -> None:
        raise error

    outcomes = await outcomes_of(queue, lambda: 1, fail, lambda: made.append(3))
    assert outcomes == [(1, None), (None, error), (None, error)]
    assert await outcomes_of(queue, lambda: made.append(4)) == [(None, error)]
    assert made == []


@pytest.mark.parametrize("max_threads", [1, 2])
async def test_the_number_of_concurrent_calls_is_limited(pool: ThreadPool, max_threads: int) -> None:
    """The next call starts when one has ended."""
    queue = CallQueue(pool, max_threads)
    gates = [Gate() for _ in range(max_threads + 1)]
    outcomes = asyncio.create_task(outcomes_of(queue, *gates))
    for gate in gates[:max_threads]:
        await gate.wait_until_entered()
    assert not gates[-1].entered.is_set()
    gates[0].open.set()
    await gates[-1].wait_until_entered()
    for gate in gates:
        gate.open.set()
    assert await outcomes == [(None, None)] * len(gates)


async def test_an_error_is_released_without_the_garbage_collector(pool: ThreadPool) -> None:
    """Its traceback refers to the frame of the thread, which does not refer to the error."""

    class FailureError(Exception):
        """An error that supports weak references."""

    errors: list[weakref.ref[FailureError]] = []

    def fail() -> None:
        error = FailureError()
        errors.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    gc.collect()
    gc.disable()
    try:
        await outcomes_of(CallQueue(pool), fail)
        pool.shutdown()
        assert errors[0]() is None
    finally:
        gc.enable()
