"""When to try again and how long to wait."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async import ConfigurationError, RetryPolicy
from packagex_async.retry import Retries, SystemClock
from tests.support import FakeClock


def waits(policy: RetryPolicy, clock: FakeClock, *, retry_after: float | None = None) -> list[float | None]:
    retries = Retries(policy, clock)
    return [retries.next_delay(retry_after) for _ in range(policy.attempts)]


def test_waits_double_up_to_their_cap() -> None:
    """With the dice at their highest: 0.5, 1, 2, ... never above `wait_max`, then the end."""
    policy = RetryPolicy(attempts=8, wait_initial=0.5, wait_max=10)
    assert waits(policy, FakeClock(dice=1.0)) == [0.5, 1, 2, 4, 8, 10, 10, None]


def test_jitter_is_full() -> None:
    """With the dice at their lowest the wait is nothing: a crowd is spread over the whole time."""
    assert waits(RetryPolicy(attempts=3), FakeClock(dice=0.0)) == [0, 0, None]


def test_one_attempt_means_never_again() -> None:
    """`RetryPolicy(attempts=1)` gives up at the first failure."""
    assert waits(RetryPolicy(attempts=1), FakeClock()) == [None]


def test_trap_14_retry_after_is_waited_out_and_spread() -> None:
    """The wait is what the server asked for, plus jitter, so that nobody comes back in a herd."""
    assert waits(RetryPolicy(attempts=3), FakeClock(dice=1.0), retry_after=7) == [7.5, 8, None]


def test_trap_14_a_retry_after_above_the_cap_ends_it() -> None:
    """Half an hour is not slept through; exactly the cap is."""
    policy = RetryPolicy(retry_after_max=60)
    assert Retries(policy, FakeClock()).next_delay(1800) is None
    assert Retries(policy, FakeClock(dice=0.0)).next_delay(60) == 60


def test_trap_14_progress_starts_the_count_again() -> None:
    """What advances is not given up."""
    retries = Retries(RetryPolicy(attempts=2), FakeClock())
    for _ in range(20):
        assert retries.next_delay() is not None
        retries.reset()
    retries.next_delay()
    assert retries.next_delay() is None


@given(st.integers(1, 10_000), st.floats(0, 1e6), st.floats(0, 1e6), st.integers(1, 10_000))
def test_no_wait_leaves_its_bounds(attempts: int, initial: float, most: float, failures: int) -> None:
    """However often it failed, the wait is a number between nothing and `wait_max`."""
    policy = RetryPolicy(attempts=attempts, wait_initial=initial, wait_max=most)
    assert 0 <= policy.backoff(failures) <= most


@pytest.mark.parametrize(
    "bad",
    [
        {"attempts": 0},
        {"wait_initial": -1},
        {"wait_max": -0.1},
        {"retry_after_max": -1},
        {"wait_max": math.nan},
    ],
)
def test_a_policy_that_cannot_work_is_refused(bad: dict[str, float]) -> None:
    """The error names the number."""
    with pytest.raises(ConfigurationError, match=next(iter(bad))):
        RetryPolicy(**bad)  # type: ignore[arg-type]


async def test_the_system_clock_keeps_time() -> None:
    """Time passes, sleep returns, dice stay within their range."""
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0)
    assert clock.monotonic() >= before
    assert clock.time() > 1_700_000_000
    assert 0 <= clock.jitter(2.0) <= 2.0
