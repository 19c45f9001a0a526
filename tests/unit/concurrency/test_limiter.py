"""The adaptive limiter: fair, free of deadlocks, lower after throttling, higher again after successes."""

from __future__ import annotations

import asyncio

import aiohttp
import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from packagex_async import Artifact, AsyncPackageX, RateLimitError, StorageError
from packagex_async._concurrency.limiter import AdaptiveLimiter
from packagex_async.testing import Emulator, Status
from tests.support import FakeClock, examples, open_exports

MAX_HOLDERS = 200


async def settle() -> None:
    """Let all tasks run until they wait."""
    for _ in range(20):
        await asyncio.sleep(0)


@attrs.define
class ManualClock:
    """A clock that moves only when a test advances it."""

    now: float = 0.0
    _sleepers: list[tuple[float, asyncio.Future[None]]] = attrs.field(factory=list)

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, wake))
        await wake

    def jitter(self, most: float) -> float:
        return most / 2

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for due, wake in self._sleepers:
            if due <= self.now and not wake.done():
                wake.set_result(None)


class Holder:
    """A task that acquires a slot and is_consistent it until `end` is called."""

    def __init__(self, limiter: AdaptiveLimiter) -> None:
        self.acquired = False
        self._end: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self._hold(limiter))

    async def _hold(self, limiter: AdaptiveLimiter) -> None:
        async with limiter.slot():
            self.acquired = True
            if (error := await self._end) is not None:
                raise error

    async def end(self, error: Exception | None = None) -> None:
        self._end.set_result(error)
        await asyncio.gather(self.task, return_exceptions=True)


def throttled(retry_after: float | None = None, status: int = 503) -> StorageError:
    """Return the error for a throttled request."""
    return StorageError(
        "busy", export_id="exp_1", artifact=Artifact.CSV, status=status, retry_after=retry_after
    )


async def start(limiter: AdaptiveLimiter, size: int) -> list[Holder]:
    """Start `size` holders, one after another."""
    holders = [Holder(limiter) for _ in range(size)]
    await settle()
    return holders


async def cancel_all(*holders: Holder) -> None:
    """Cancel holders and wait for them."""
    for holder in holders:
        holder.task.cancel()
    await asyncio.gather(*(holder.task for holder in holders), return_exceptions=True)


async def test_slots_are_acquired_in_order() -> None:
    """At most `limit` requests hold a slot at the same time."""
    limiter = AdaptiveLimiter(2, FakeClock())
    holders = await start(limiter, 5)
    for first in range(4):
        assert [holder.acquired for holder in holders] == [index < first + 2 for index in range(5)]
        await holders[first].end()
        await settle()
    await holders[4].end()
    assert limiter.in_use == 0


async def test_concurrent_throttled_requests_halve_the_limit_once() -> None:
    """Only requests that started after the last decrease halve it again. The limit is never below 1."""
    limiter = AdaptiveLimiter(8, FakeClock())
    for holder in await start(limiter, 8):
        await holder.end(throttled(status=429))
        assert limiter.limit == 4
    for limit in (2, 1, 1):
        (holder,) = await start(limiter, 1)
        await holder.end(throttled())
        assert limiter.limit == limit


async def test_successes_raise_the_limit() -> None:
    """From 2 to the maximum of 4, 2 + 3 successes are needed. A 404 changes nothing."""
    limiter = AdaptiveLimiter(4, FakeClock())
    limiter.on_throttled(None, limiter.decreases)
    sizes = []
    for end in (None, throttled(status=404), None, None, None, None, None, None):
        (holder,) = await start(limiter, 1)
        await holder.end(end)
        sizes.append(limiter.limit)
    assert sizes == [2, 2, 3, 3, 3, 4, 4, 4]


async def test_raised_limit_wakes_a_waiting_request() -> None:
    """The request does not wait for the next release."""
    limiter = AdaptiveLimiter(4, FakeClock())
    limiter.on_throttled(None, 0)
    holders = await start(limiter, 4)
    await holders[0].end()
    await holders[1].end()
    await settle()
    assert (limiter.limit, [holder.acquired for holder in holders]) == (3, [True] * 4)
    await cancel_all(*holders[2:])


async def test_new_maximum() -> None:
    """It applies at once, except that it does not raise a limit that was lowered."""
    limiter = AdaptiveLimiter(2, FakeClock())
    holders = await start(limiter, 5)
    limiter.resize(4)
    await settle()
    assert [holder.acquired for holder in holders] == [True] * 4 + [False]
    await cancel_all(*holders)
    limiter.on_throttled(None, 0)
    limiter.resize(8)
    assert limiter.limit == 2
    limiter.resize(1)
    assert limiter.limit == 1


async def test_refused_requests_are_reported() -> None:
    """The report says how long to wait, and whether the limit was halved."""
    limiter = AdaptiveLimiter(4, FakeClock())
    reports: list[tuple[float | None, bool]] = []
    limiter.notify = lambda retry_after, is_halved: reports.append((retry_after, is_halved))
    for holder in await start(limiter, 2):
        await holder.end(throttled(retry_after=3))
    assert reports == [(3, True), (3, False)]


async def test_retry_after_delays_all_requests() -> None:
    """Afterwards, they start one after another."""
    clock = ManualClock()
    limiter = AdaptiveLimiter(64, clock)
    (holder,) = await start(limiter, 1)
    await holder.end(throttled(retry_after=30))
    holders = await start(limiter, 3)
    counts = []
    for seconds in (29.9, 0.1, 0.04, 0.01, 0.05):
        clock.advance(seconds)
        await settle()
        counts.append(sum(holder.acquired for holder in holders))
    assert counts == [0, 1, 1, 2, 3]
    await cancel_all(*holders)


async def test_only_one_round_of_requests_is_spaced_after_a_pause() -> None:
    """All later requests start as soon as a slot is free."""
    clock = ManualClock()
    limiter = AdaptiveLimiter(4, clock)
    limiter.on_throttled(30, 0)
    holders = await start(limiter, 6)
    clock.advance(30)
    await settle()
    clock.advance(0.05)
    await settle()
    clock.advance(0.05)
    for holder in holders[:4]:
        await settle()
        await holder.end()
    await settle()
    assert [holder.acquired for holder in holders] == [True] * 6
    await cancel_all(*holders)


async def test_longest_retry_after_applies() -> None:
    """A later and shorter `Retry-After` does not shorten the pause."""
    clock = ManualClock()
    limiter = AdaptiveLimiter(4, clock)
    limiter.on_throttled(10, 0)
    holders = await start(limiter, 1)
    limiter.on_throttled(20, 0)
    limiter.on_throttled(5, 0)
    clock.advance(10)
    await settle()
    assert not holders[0].acquired
    clock.advance(10)
    await settle()
    assert holders[0].acquired
    await cancel_all(*holders)


async def test_trap_14_retry_after_above_the_maximum_is_ignored() -> None:
    """The throttled request fails; other requests are not delayed."""
    limiter = AdaptiveLimiter(4, FakeClock(), retry_after_max=120)
    limiter.on_throttled(1800, 0)
    assert limiter.try_acquire()


async def test_try_acquire_fails_while_requests_wait() -> None:
    """It also fails at the limit and during a pause."""
    limiter = AdaptiveLimiter(2, ManualClock())
    assert (limiter.try_acquire(), limiter.try_acquire(), limiter.try_acquire()) == (True, True, False)
    holders = await start(limiter, 1)
    limiter.release()
    assert not limiter.try_acquire()
    await settle()
    assert holders[0].acquired
    limiter.release()
    limiter.on_throttled(10, 0)
    assert not limiter.try_acquire()
    await cancel_all(*holders)


@pytest.mark.parametrize("victim", range(4))
async def test_cancelled_request_keeps_no_slot(victim: int) -> None:
    """The request is_consistent a slot, is the next in the queue, or is further behind."""
    limiter = AdaptiveLimiter(1, FakeClock())
    holders = await start(limiter, 4)
    await cancel_all(holders.pop(victim))
    for holder in holders:
        await settle()
        assert holder.acquired
        await holder.end()
    assert limiter.in_use == 0


class LimiterMachine(RuleBasedStateMachine):
    """Any order of acquiring, throttling, releasing and cancelling."""

    @initialize(limit=st.integers(1, 6))
    def create_limiter(self, limit: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock = ManualClock()
        self.limit = limit
        self.limiter = AdaptiveLimiter(limit, self.clock)
        self.holders: list[Holder] = []
        self.acquired_directly = 0
        self.paused_until = 0.0

    def run(self, work: object = None) -> None:
        async def turn() -> None:
            if work is not None:
                await work  # type: ignore[misc]
            await settle()

        self.loop.run_until_complete(turn())

    @rule()
    @precondition(lambda self: len(self.holders) < 12)
    def add_holder(self) -> None:
        async def enter() -> None:
            before = self.limiter.in_use
            self.holders.append(Holder(self.limiter))
            await settle()
            if self.clock.now < self.paused_until:
                assert self.limiter.in_use == before

        self.run(enter())

    @rule(index=st.integers(0, 11), retry_after=st.none() | st.integers(0, 5), is_throttled=st.booleans())
    def end(self, index: int, retry_after: int | None, is_throttled: bool) -> None:
        holders = [holder for holder in self.holders if holder.acquired]
        if holders:
            holder = holders[index % len(holders)]
            self.holders.remove(holder)
            if is_throttled:
                self.paused_until = max(self.paused_until, self.clock.now + (retry_after or 0))
            self.run(holder.end(throttled(retry_after) if is_throttled else None))

    @rule(index=st.integers(0, 11))
    def cancel(self, index: int) -> None:
        if self.holders:
            self.run(cancel_all(self.holders.pop(index % len(self.holders))))

    @rule()
    def try_acquire(self) -> None:
        self.acquired_directly += self.limiter.try_acquire()

    @rule()
    @precondition(lambda self: self.acquired_directly)
    def release(self) -> None:
        self.acquired_directly -= 1
        self.limiter.release()
        self.run()

    @rule(seconds=st.floats(0, 3))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.run()

    @invariant()
    def is_consistent(self) -> None:
        if hasattr(self, "limiter"):
            assert 1 <= self.limiter.limit <= self.limit
            assert self.limiter.in_use == self.acquired_directly + sum(
                holder.acquired for holder in self.holders
            )
            assert self.limiter.in_use <= self.limit
            # First come, first served.
            acquired = [holder.acquired for holder in self.holders]
            assert acquired == sorted(acquired, reverse=True)

    def teardown(self) -> None:
        """Every waiting request acquires a slot in the end."""
        if not hasattr(self, "limiter"):
            return
        for _ in range(self.acquired_directly):
            self.limiter.release()
        for _ in range(MAX_HOLDERS):
            self.clock.advance(5)
            self.run()
            if not self.holders:
                break
            assert self.holders[0].acquired
            self.run(self.holders.pop(0).end())
        assert self.limiter.in_use == 0
        self.loop.close()


TestLimiterMachine = LimiterMachine.TestCase
TestLimiterMachine.settings = settings(max_examples=examples(60), stateful_step_count=30, deadline=None)


async def test_throttled_api_request_delays_other_api_requests(server: Emulator) -> None:
    """`Retry-After` is waited for once, by the throttled request and by all later ones."""
    clock = FakeClock(jitter_fraction=0)
    stored = server.add_export(rows=1)
    server.inject(Status(429, retry_after="30", on="api"))
    async with open_exports(clock, server) as exports:
        started_at = clock.now
        await exports.retrieve(stored.id)
        assert clock.now - started_at == 30
        assert [request.status for request in server.requests] == [429, 200]


async def test_failed_throttled_api_request_delays_the_next(server: Emulator) -> None:
    """Even if the throttled request is not repeated."""
    clock = FakeClock(jitter_fraction=0)
    server.inject(Status(429, retry_after="30", on="api"), times=5)
    async with open_exports(clock, server) as exports:
        with pytest.raises(RateLimitError):
            await exports.retrieve("exp_1")
        started_at = clock.now
        assert [export async for export in exports.list()] == []
        assert clock.now - started_at == 30


async def test_limit_of_a_client_is_that_of_its_connector(server: Emulator) -> None:
    """It is 100 by default."""
    for connector_limit, limit in ((7, 7), (0, 100)):
        async with aiohttp.TCPConnector(limit=connector_limit) as connector:
            async with server.client(connector=connector) as px:
                assert limit_of(px) == limit
    async with server.client() as px:
        assert limit_of(px) == 100


def limit_of(px: AsyncPackageX) -> int:
    return px.exports._context.limiter.limit
