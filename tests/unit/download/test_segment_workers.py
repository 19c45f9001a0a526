"""The connections beside the first: hired where they help, let go where they do not, heard when they fail."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest

from packagex_async._concurrency.limiter import AdaptiveLimiter
from packagex_async._download.segment_workers import SegmentWorkers
from packagex_async._download.segments import MIN_SEGMENT_SIZE, Segment, SegmentQueue
from packagex_async._download.throughput import PROBE
from packagex_async._files.disk_errors import DiskError
from tests.faults.storage_server import yield_to_event_loop
from tests.support import FakeClock

LENGTH = 64 * MIN_SEGMENT_SIZE


async def started(crew: SegmentWorkers, clock: FakeClock, received: int = 1) -> Segment:
    """The first connection's span, of a body that comes slowly."""
    crew.begin(SegmentQueue([(0, LENGTH)]), alone=False)
    span = await crew.next_span()
    assert span is not None
    crew.advanced(0)
    clock.now += 2 * PROBE
    crew.advanced(received)
    return span


async def test_one_that_cannot_write_ends_the_transfer_at_once() -> None:
    """The first connection learns of it with its next block, not at the end of its part."""

    async def full(_: Segment) -> bool:
        raise DiskError(OSError("full"), Path("a.csv"))

    clock = FakeClock()
    async with SegmentWorkers(full, 2, clock, AdaptiveLimiter(100, clock)) as crew:
        await started(crew, clock)
        await yield_to_event_loop()
        with pytest.raises(DiskError, match="full"):
            crew.advanced(2)


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
    async with SegmentWorkers(full, 2, clock, AdaptiveLimiter(100, clock)) as crew:
        await started(crew, clock)
        await yield_to_event_loop()
    del crew
    gc.collect()
    assert unheard == []


async def test_one_that_is_done_makes_room_for_another() -> None:
    """While there is something to divide; and at no time are there more than are allowed."""
    busy = most = parts = 0

    async def bring(span: Segment) -> bool:
        nonlocal busy, most, parts
        busy += 1
        most, parts = max(most, busy), parts + 1
        crew.proved(span)
        await yield_to_event_loop()
        span.position = span.end
        busy -= 1
        return True

    clock = FakeClock()
    async with SegmentWorkers(bring, 3, clock, AdaptiveLimiter(100, clock)) as crew:
        first = await started(crew, clock)
        for block in range(200):
            crew.advanced(2 + block)
            await asyncio.sleep(0)
        first.position = first.end
        crew.work.release(first)
        assert await crew.next_span() is None
    assert most == 2
    assert parts > 2
    assert crew.work.left == 0


async def test_when_the_second_has_proved_itself_all_others_follow_at_once() -> None:
    """Each has a long way to go before it brings anything."""
    proof = asyncio.Event()

    async def bring(span: Segment) -> bool:
        await proof.wait()
        crew.proved(span)
        await asyncio.Event().wait()
        return True

    clock = FakeClock()
    async with SegmentWorkers(bring, 8, clock, AdaptiveLimiter(100, clock)) as crew:
        await started(crew, clock)
        await yield_to_event_loop()
        assert crew.hired == 1
        proof.set()
        await yield_to_event_loop()
        assert crew.hired == 7


@pytest.mark.parametrize("seconds", [0.0, 0.4])
async def test_the_time_that_the_trial_took_is_what_the_others_will_take(seconds: float) -> None:
    """Those that bring already keep what they will have brought by then."""
    asked: list[Segment] = []
    proof = asyncio.Event()

    async def bring(span: Segment) -> bool:
        asked.append(span)
        await proof.wait()
        if span is asked[0]:
            crew.proved(span)
        await asyncio.Event().wait()
        return True

    clock = FakeClock()
    async with SegmentWorkers(bring, 3, clock, AdaptiveLimiter(100, clock)) as crew:
        first = await started(crew, clock, received=MIN_SEGMENT_SIZE)
        first.flows = True
        await yield_to_event_loop()
        clock.now += seconds
        proof.set()
        await yield_to_event_loop()
        trial, third = asked
        assert (trial.position, trial.end) == (LENGTH // 2, LENGTH)
        lead = MIN_SEGMENT_SIZE / (2 * PROBE) * seconds
        assert third.left == pytest.approx((LENGTH // 2 - lead) / 2, abs=64)
        assert first.left + third.left == LENGTH // 2


async def test_the_proof_of_one_that_goes_on_tells_of_no_time() -> None:
    """Nobody was on trial: what it would bring meanwhile is not known."""

    async def bring(_: Segment) -> bool:
        pytest.fail("there is no place for anybody else")

    clock = FakeClock()
    budget = AdaptiveLimiter(1, clock)
    async with SegmentWorkers(bring, 8, clock, budget) as crew, budget.place():
        first = await started(crew, clock)
        crew.proved(first)
        assert (first.flows, crew.work.lead) == (True, 0)


async def test_whoever_is_not_trusted_gets_no_company() -> None:
    """From then on."""

    async def bring(_: Segment) -> bool:
        pytest.fail("nobody else is to be asked")

    clock = FakeClock()
    async with SegmentWorkers(bring, 8, clock, AdaptiveLimiter(100, clock)) as crew:
        crew.distrust()
        await started(crew, clock)
        await yield_to_event_loop()
        crew.advanced(2)
        assert await crew.next_span() is not None


async def test_nobody_is_hired_beyond_the_budget() -> None:
    """There is no place to spare for a connection beside the first; one that ends gives its place back."""

    async def bring(_: Segment) -> bool:
        return False

    clock = FakeClock()
    budget = AdaptiveLimiter(1, clock)
    async with SegmentWorkers(bring, 8, clock, budget) as crew, budget.place():
        await started(crew, clock)
        assert (crew.hired, budget.used) == (0, 1)
    async with SegmentWorkers(bring, 8, clock, budget) as crew:
        await started(crew, clock)
        assert (crew.hired, budget.used) == (1, 1)
        await yield_to_event_loop()
    assert budget.used == 0
