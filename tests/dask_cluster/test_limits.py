"""The division of limits, and throttling that all workers follow."""

from __future__ import annotations

from typing import Any

import pytest

from packagex_async._concurrency.limiter import AdaptiveLimiter
from packagex_async.integrations._dask.limits import Generations, SharedLimiter, divide
from tests.support import FakeClock


@pytest.mark.parametrize(
    ("limit", "count", "shares"),
    [(16, 1, [16]), (16, 3, [6, 5, 5]), (4, 4, [1, 1, 1, 1]), (2, 3, [1, 1, 1])],
)
def test_divide(limit: int, count: int, shares: list[int]) -> None:
    """The shares are as equal as possible, and at least 1."""
    assert divide(limit, count) == shares


def test_generations() -> None:
    """Only the first of several simultaneous refusals starts a generation; the servers are independent."""
    generations = Generations()
    assert [generations.advance("api", number) for number in (0, 0, 1, 1)] == [True, False, True, False]
    assert (generations.number("api"), generations.number("storage")) == (2, 0)


def new_limiters(count: int) -> tuple[list[AdaptiveLimiter], list[SharedLimiter], list[Any]]:
    """Return limiters of several workers, and the list of their reports."""
    reports: list[Any] = []
    limiters = [AdaptiveLimiter(8, FakeClock()) for _ in range(count)]
    return (
        limiters,
        [SharedLimiter(limiter, lambda *args: reports.append(args)) for limiter in limiters],
        reports,
    )


async def test_all_workers_slow_down_once() -> None:
    """The worker whose request was refused halves its limit at once, and the others when they hear of it."""
    limiters, shared, reports = new_limiters(2)
    limiters[0].notify(None, limiters[0].on_throttled(None, 0))  # type: ignore[misc]
    assert reports == [(0, None, True)]
    for each in shared:
        each.follow(1, None)
        each.follow(1, None)
    assert [limiter.limit for limiter in limiters] == [4, 4]
    assert [each.generation for each in shared] == [1, 1]


async def test_simultaneous_refusals() -> None:
    """A worker that has already halved its limit does not halve it again for the same generation."""
    limiters, shared, _ = new_limiters(2)
    for limiter in limiters:
        limiter.notify(None, limiter.on_throttled(None, 0))  # type: ignore[misc]
    for each in shared:
        each.follow(1, None)
    assert [limiter.limit for limiter in limiters] == [4, 4]
    for each in shared:
        each.follow(2, None)
    assert [limiter.limit for limiter in limiters] == [2, 2]


async def test_retry_after_pauses_all_workers() -> None:
    """A later refusal with a `Retry-After` pauses requests without halving the limit."""
    limiters, shared, reports = new_limiters(2)
    limiters[0].notify(30, False)  # type: ignore[misc]
    limiters[0].notify(None, False)  # type: ignore[misc]
    assert reports == [(0, 30, False)]
    shared[1].follow(0, 30)
    assert (limiters[1].limit, limiters[1].try_acquire()) == (8, False)


async def test_resize() -> None:
    """A share can grow and shrink."""
    (limiter,), (shared,), _ = new_limiters(1)
    shared.resize(3)
    assert limiter.limit == 3
