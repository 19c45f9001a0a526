"""SegmentWorkers: when connections are added, closed, and how their failures are reported."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from pathlib import Path

import pytest

from packagex_async._concurrency.limiter import AdaptiveLimiter
from packagex_async._concurrency.tuning import TransferTuning
from packagex_async._download.segment_workers import SegmentWorkers
from packagex_async._download.segments import Segment
from packagex_async._files.disk_errors import DiskError
from tests.faults.storage_server import yield_to_event_loop
from tests.support import FakeClock

TUNING = TransferTuning()
MIN_SEGMENT_SIZE, PROBE = TUNING.min_segment_size, TUNING.probe_time
LENGTH = 64 * MIN_SEGMENT_SIZE


async def start_first_segment(workers: SegmentWorkers, clock: FakeClock, received: int = 1) -> Segment:
    """Return the segment of the first connection, whose body is received slowly."""
    workers.start([(0, LENGTH)], parallel=True)
    segment = await workers.next_segment()
    assert segment is not None
    workers.advance(0)
    clock.now += 2 * PROBE
    workers.advance(received)
    return segment


async def test_failed_write_ends_the_transfer() -> None:
    """The first connection raises the error with its next chunk, not at the end of its segment."""

    async def fail(_: Segment) -> bool:
        raise DiskError(OSError("full"), Path("a.csv"))

    clock = FakeClock()
    async with SegmentWorkers(fail, 2, clock, AdaptiveLimiter(100, clock), TUNING) as workers:
        await start_first_segment(workers, clock)
        await yield_to_event_loop()
        with pytest.raises(DiskError, match="full"):
            workers.advance(2)


async def test_failures_of_stopped_workers_are_retrieved() -> None:
    """asyncio does not warn of exceptions that were never retrieved."""
    unretrieved: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unretrieved.append(context))

    async def fail(_: Segment) -> bool:
        try:
            await asyncio.Event().wait()
        finally:
            raise DiskError(OSError("full"), Path("a.csv"))

    clock = FakeClock()
    async with SegmentWorkers(fail, 2, clock, AdaptiveLimiter(100, clock), TUNING) as workers:
        await start_first_segment(workers, clock)
        await yield_to_event_loop()
    del workers
    gc.collect()
    assert unretrieved == []


async def test_finished_worker_is_replaced() -> None:
    """As long as a segment can be divided; the limit of connections is never exceeded."""
    busy = max_busy = segment_count = 0

    async def receive(segment: Segment) -> bool:
        nonlocal busy, max_busy, segment_count
        busy += 1
        max_busy, segment_count = max(max_busy, busy), segment_count + 1
        workers.confirm_ranges(segment)
        await yield_to_event_loop()
        segment.position = segment.end
        busy -= 1
        return True

    clock = FakeClock()
    async with SegmentWorkers(receive, 3, clock, AdaptiveLimiter(100, clock), TUNING) as workers:
        first = await start_first_segment(workers, clock)
        for block in range(200):
            workers.advance(2 + block)
            await asyncio.sleep(0)
        first.position = first.end
        workers._queue.release(first)
        assert await workers.next_segment() is None
    assert max_busy == 2
    assert segment_count > 2
    assert workers._queue.remaining == 0


async def test_confirmed_second_connection_adds_all_others() -> None:
    """The other connections start as soon as the second one has received its range."""
    confirmed = asyncio.Event()

    async def receive(segment: Segment) -> bool:
        await confirmed.wait()
        workers.confirm_ranges(segment)
        await asyncio.Event().wait()
        return True

    clock = FakeClock()
    async with SegmentWorkers(receive, 8, clock, AdaptiveLimiter(100, clock), TUNING) as workers:
        await start_first_segment(workers, clock)
        await yield_to_event_loop()
        assert len(workers._tasks) == 1
        confirmed.set()
        await yield_to_event_loop()
        assert len(workers._tasks) == 7


async def test_connection_that_finds_itself_superfluous_ends() -> None:
    """Its next wait may reach a time limit at once, which must not keep the connection open."""
    continued = False

    async def receive(segment: Segment) -> bool:
        nonlocal continued
        workers.confirm_ranges(segment)
        clock.now += TUNING.settling_time
        workers.advance(2)
        with suppress(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        continued = True
        return True

    clock = FakeClock()
    async with SegmentWorkers(receive, 2, clock, AdaptiveLimiter(100, clock), TUNING) as workers:
        await start_first_segment(workers, clock, received=MIN_SEGMENT_SIZE)
        assert len(workers._tasks) == 1
        await yield_to_event_loop()
        workers.advance(3)
        assert (len(workers._tasks), continued) == (0, False)


@pytest.mark.parametrize("seconds", [0.0, 0.4])
async def test_startup_time_of_second_connection_is_applied_to_others(seconds: float) -> None:
    """An active segment keeps the bytes that it will receive while the new connection starts."""
    claimed: list[Segment] = []
    confirmed = asyncio.Event()

    async def receive(segment: Segment) -> bool:
        claimed.append(segment)
        await confirmed.wait()
        if segment is claimed[0]:
            workers.confirm_ranges(segment)
        await asyncio.Event().wait()
        return True

    clock = FakeClock()
    async with SegmentWorkers(receive, 3, clock, AdaptiveLimiter(100, clock), TUNING) as workers:
        first = await start_first_segment(workers, clock, received=MIN_SEGMENT_SIZE)
        first.receiving = True
        await yield_to_event_loop()
        clock.now += seconds
        confirmed.set()
        await yield_to_event_loop()
        second, third = claimed
        assert (second.position, second.end) == (LENGTH // 2, LENGTH)
        startup_bytes = MIN_SEGMENT_SIZE / (2 * PROBE) * seconds
        assert third.remaining == pytest.approx((LENGTH // 2 - startup_bytes) / 2, abs=64)
        assert first.remaining + third.remaining == LENGTH // 2


async def test_confirmation_without_second_connection_measures_no_startup() -> None:
    """Without a second connection, the startup time is unknown."""

    async def receive(_: Segment) -> bool:
        pytest.fail("no slot is free")

    clock = FakeClock()
    limiter = AdaptiveLimiter(1, clock)
    async with SegmentWorkers(receive, 8, clock, limiter, TUNING) as workers, limiter.slot():
        first = await start_first_segment(workers, clock)
        workers.confirm_ranges(first)
        assert (first.receiving, workers._queue.startup_bytes) == (True, 0)


async def test_disabled_segments_add_no_connection() -> None:
    """After segments are disabled, the first connection continues alone."""

    async def receive(_: Segment) -> bool:
        pytest.fail("segments are disabled")

    clock = FakeClock()
    async with SegmentWorkers(receive, 8, clock, AdaptiveLimiter(100, clock), TUNING) as workers:
        workers.disable_segments()
        await start_first_segment(workers, clock)
        await yield_to_event_loop()
        workers.advance(2)
        assert await workers.next_segment() is not None


async def test_limiter_bounds_added_connections() -> None:
    """No connection is added without a free slot; a finished one releases its slot."""

    async def receive(_: Segment) -> bool:
        return False

    clock = FakeClock()
    limiter = AdaptiveLimiter(1, clock)
    async with SegmentWorkers(receive, 8, clock, limiter, TUNING) as workers, limiter.slot():
        await start_first_segment(workers, clock)
        assert (len(workers._tasks), limiter.in_use) == (0, 1)
    async with SegmentWorkers(receive, 8, clock, limiter, TUNING) as workers:
        await start_first_segment(workers, clock)
        assert (len(workers._tasks), limiter.in_use) == (1, 1)
        await yield_to_event_loop()
    assert limiter.in_use == 0


@pytest.mark.parametrize(
    ("rate", "size"),
    [
        (1, TUNING.min_slow_segment_size),
        (MIN_SEGMENT_SIZE / 2, MIN_SEGMENT_SIZE // 4),
        (100 * MIN_SEGMENT_SIZE, MIN_SEGMENT_SIZE),
    ],
)
async def test_slow_connections_divide_small_segments(rate: float, size: int) -> None:
    """The smallest segment takes half a second, within limits."""

    async def receive(_: Segment) -> bool:
        pytest.fail("no slot is free")

    clock = FakeClock()
    limiter = AdaptiveLimiter(1, clock)
    async with SegmentWorkers(receive, 8, clock, limiter, TUNING) as workers, limiter.slot():
        first = await start_first_segment(workers, clock, received=int(rate * 2 * PROBE))
        first.end = first.position + int(2.02 * size)
        assert workers._queue.is_divisible
        first.end = first.position + int(1.98 * size)
        assert not workers._queue.is_divisible
