"""The connections beside the first: hired where they help, let go where they do not, heard when they fail."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest

from packagex_async._concurrency.limiter import AdaptiveLimiter
from packagex_async._download.segment_workers import SegmentWorkers
from packagex_async._download.segments import MIN_SEGMENT_SIZE, Segment
from packagex_async._download.throughput import PROBE
from packagex_async._files.disk_errors import DiskError
from tests.faults.storage_server import yield_to_event_loop
from tests.support import FakeClock

LENGTH = 64 * MIN_SEGMENT_SIZE


async def started(workers: SegmentWorkers, clock: FakeClock, received: int = 1) -> Segment:
    """The first connection's span, of a body that comes slowly."""
    workers.start([(0, LENGTH)], parallel=True)
    span = await workers.next_segment()
    assert span is not None
    workers.advance(0)
    clock.now += 2 * PROBE
    workers.advance(received)
    return span


async def test_one_that_cannot_write_ends_the_transfer_at_once() -> None:
    """The first connection learns of it with its next block, not at the end of its part."""

    async def full(_: Segment) -> bool:
        raise DiskError(OSError("full"), Path("a.csv"))

    clock = FakeClock()
    async with SegmentWorkers(full, 2, clock, AdaptiveLimiter(100, clock)) as workers:
        await started(workers, clock)
        await yield_to_event_loop()
        with pytest.raises(DiskError, match="full"):
            workers.advance(2)


async def test_the_failures_of_those_that_are_dismissed_are_not_left_unheard() -> None:
    """Nobody is told of them any more, and nothing warns of an error that was never retrieved."""
    unheard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))

    async def full(_: Segment) -> bool:
        try:
            await asyncio.Event().wait()
        finally:
            raise DiskError(OSError("full"), Path("a.csv"))

    clock = FakeClock()
    async with SegmentWorkers(full, 2, clock, AdaptiveLimiter(100, clock)) as workers:
        await started(workers, clock)
        await yield_to_event_loop()
    del workers
    gc.collect()
    assert unheard == []


async def test_one_that_is_done_makes_room_for_another() -> None:
    """While there is something to divide; and at no time are there more than are allowed."""
    busy = most = parts = 0

    async def bring(span: Segment) -> bool:
        nonlocal busy, most, parts
        busy += 1
        most, parts = max(most, busy), parts + 1
        workers.confirm_ranges(span)
        await yield_to_event_loop()
        span.position = span.end
        busy -= 1
        return True

    clock = FakeClock()
    async with SegmentWorkers(bring, 3, clock, AdaptiveLimiter(100, clock)) as workers:
        first = await started(workers, clock)
        for block in range(200):
            workers.advance(2 + block)
            await asyncio.sleep(0)
        first.position = first.end
        workers._queue.release(first)
        assert await workers.next_segment() is None
    assert most == 2
    assert parts > 2
    assert workers._queue.remaining == 0


async def test_when_the_second_has_proved_itself_all_others_follow_at_once() -> None:
    """Each has a long way to go before it brings anything."""
    proof = asyncio.Event()

    async def bring(span: Segment) -> bool:
        await proof.wait()
        workers.confirm_ranges(span)
        await asyncio.Event().wait()
        return True

    clock = FakeClock()
    async with SegmentWorkers(bring, 8, clock, AdaptiveLimiter(100, clock)) as workers:
        await started(workers, clock)
        await yield_to_event_loop()
        assert len(workers._tasks) == 1
        proof.set()
        await yield_to_event_loop()
        assert len(workers._tasks) == 7


@pytest.mark.parametrize("seconds", [0.0, 0.4])
async def test_the_time_that_the_trial_took_is_what_the_others_will_take(seconds: float) -> None:
    """Those that bring already keep what they will have brought by then."""
    requested_end: list[Segment] = []
    proof = asyncio.Event()

    async def bring(span: Segment) -> bool:
        requested_end.append(span)
        await proof.wait()
        if span is requested_end[0]:
            workers.confirm_ranges(span)
        await asyncio.Event().wait()
        return True

    clock = FakeClock()
    async with SegmentWorkers(bring, 3, clock, AdaptiveLimiter(100, clock)) as workers:
        first = await started(workers, clock, received=MIN_SEGMENT_SIZE)
        first.receiving = True
        await yield_to_event_loop()
        clock.now += seconds
        proof.set()
        await yield_to_event_loop()
        trial, third = requested_end
        assert (trial.position, trial.end) == (LENGTH // 2, LENGTH)
        startup_bytes = MIN_SEGMENT_SIZE / (2 * PROBE) * seconds
        assert third.remaining == pytest.approx((LENGTH // 2 - startup_bytes) / 2, abs=64)
        assert first.remaining + third.remaining == LENGTH // 2


async def test_the_proof_of_one_that_goes_on_tells_of_no_time() -> None:
    """Nobody was on trial: what it would bring meanwhile is not known."""

    async def bring(_: Segment) -> bool:
        pytest.fail("there is no place for anybody else")

    clock = FakeClock()
    budget = AdaptiveLimiter(1, clock)
    async with SegmentWorkers(bring, 8, clock, budget) as workers, budget.slot():
        first = await started(workers, clock)
        workers.confirm_ranges(first)
        assert (first.receiving, workers._queue.startup_bytes) == (True, 0)


async def test_whoever_is_not_trusted_gets_no_company() -> None:
    """From then on."""

    async def bring(_: Segment) -> bool:
        pytest.fail("nobody else is to be asked")

    clock = FakeClock()
    async with SegmentWorkers(bring, 8, clock, AdaptiveLimiter(100, clock)) as workers:
        workers.disable_segments()
        await started(workers, clock)
        await yield_to_event_loop()
        workers.advance(2)
        assert await workers.next_segment() is not None


async def test_nobody_is_hired_beyond_the_budget() -> None:
    """There is no place to spare for a connection beside the first; one that ends gives its place back."""

    async def bring(_: Segment) -> bool:
        return False

    clock = FakeClock()
    budget = AdaptiveLimiter(1, clock)
    async with SegmentWorkers(bring, 8, clock, budget) as workers, budget.slot():
        await started(workers, clock)
        assert (len(workers._tasks), budget.in_use) == (0, 1)
    async with SegmentWorkers(bring, 8, clock, budget) as workers:
        await started(workers, clock)
        assert (len(workers._tasks), budget.in_use) == (1, 1)
        await yield_to_event_loop()
    assert budget.in_use == 0
