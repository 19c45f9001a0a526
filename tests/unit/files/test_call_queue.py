"""Calls run in threads, and their outcomes arrive on the event loop in order."""

from __future__ import annotations

import asyncio
import errno
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
    """While all threads are busy, further calls wait. The next one starts when one has ended."""
    queue = CallQueue(pool, max_threads=max_threads, interval=0.001)
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


async def test_quick_calls_share_one_thread(pool: ThreadPool) -> None:
    """Another thread starts only if calls have to wait."""
    queue = CallQueue(pool, max_threads=2, interval=3600)
    gate = Gate()
    outcomes = asyncio.create_task(outcomes_of(queue, gate, *[threading.get_ident] * 100))
    await gate.wait_until_entered()
    gate.open.set()
    _, *threads = await outcomes
    assert len(set(threads)) == 1


@pytest.mark.parametrize("is_behind", [False, True])
async def test_a_call_does_not_wait_for_one_that_hangs(pool: ThreadPool, is_behind: bool) -> None:
    """Neither its start nor its outcome, whether it was added before or after the other one."""
    queue = CallQueue(pool, max_threads=2, interval=0.001)
    start, gate = Gate(), Gate()
    calls = (start, gate) if is_behind else (gate, start)
    first, second = [asyncio.create_task(outcomes_of(queue, call)) for call in calls]
    ended, hanging = (first, second) if is_behind else (second, first)
    await start.wait_until_entered()
    start.open.set()
    await gate.wait_until_entered()
    assert await ended == [(None, None)]
    assert await outcomes_of(queue, lambda: 1, lambda: 2) == [(1, None), (2, None)]
    gate.open.set()
    assert await hanging == [(None, None)]


async def test_without_another_thread_the_calls_wait(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that is busy runs them later."""
    queue = CallQueue(pool, max_threads=2, interval=0.001)
    gate, refused = Gate(), asyncio.Event()
    loop = asyncio.get_running_loop()
    hanging = asyncio.create_task(outcomes_of(queue, gate))
    await gate.wait_until_entered()

    def refuse(*_: object) -> None:
        loop.call_soon(refused.set)
        raise OSError(errno.EAGAIN, "no thread can be started")

    monkeypatch.setattr(pool, "submit", refuse)
    waiting = asyncio.create_task(outcomes_of(queue, lambda: 1))
    await refused.wait()
    gate.open.set()
    assert await hanging == [(None, None)]
    assert await waiting == [(1, None)]


async def test_outcomes_may_wait_for_those_of_later_calls(pool: ThreadPool) -> None:
    """The event loop receives them together."""
    queue = CallQueue(pool, interval=3600)
    first, second = Gate(), Gate()
    ended: list[str] = []
    both = asyncio.Event()
    queue.add(first, lambda *_: ended.append("first"))
    queue.add(second, lambda *_: both.set())
    first.open.set()
    await second.wait_until_entered()
    assert ended == []
    second.open.set()
    await both.wait()
    assert ended == ["first"]


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
