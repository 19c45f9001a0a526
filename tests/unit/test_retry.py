"""The retry policy limits the number of attempts and the waits between them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async import (
    Artifact,
    ConfigurationError,
    ConnectionFailedError,
    DecodeError,
    IncompleteBodyError,
    LinkExpiredError,
    NotFoundError,
    PackageXError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    StalledError,
    StorageError,
    StorageUnreachableError,
)
from packagex_async.retry import Retries, SystemClock
from tests.support import FakeClock


def waits(policy: RetryPolicy, clock: FakeClock, *, retry_after: float | None = None) -> list[float | None]:
    retries = Retries(policy, clock)
    return [retries.next_delay(retry_after) for _ in range(policy.attempts)]


def test_waits_double_up_to_their_maximum() -> None:
    """With the largest random numbers: 0.5, 1, 2, ..., at wait_max `wait_max`."""
    policy = RetryPolicy(attempts=8, wait_initial=0.5, wait_max=10)
    assert waits(policy, FakeClock(jitter_fraction=1.0)) == [0.5, 1, 2, 4, 8, 10, 10, None]


def test_jitter_is_full() -> None:
    """With the smallest random numbers, there is no wait. So many clients are spread over the whole time."""
    assert waits(RetryPolicy(attempts=3), FakeClock(jitter_fraction=0.0)) == [0, 0, None]


def test_with_one_attempt_there_are_no_retries() -> None:
    """The first failure is final."""
    assert waits(RetryPolicy(attempts=1), FakeClock()) == [None]


def test_trap_14_retry_after_is_added_to_the_wait() -> None:
    """The jitter distributes clients that received the same `Retry-After`."""
    assert waits(RetryPolicy(attempts=3), FakeClock(jitter_fraction=1.0), retry_after=7) == [7.5, 8, None]


def test_trap_14_a_long_retry_after_is_final() -> None:
    """Above `retry_after_max`. The maximum itself is waited for."""
    policy = RetryPolicy(retry_after_max=60)
    assert Retries(policy, FakeClock()).next_delay(1800) is None
    assert Retries(policy, FakeClock(jitter_fraction=0.0)).next_delay(60) == 60


def test_trap_14_progress_resets_the_count() -> None:
    """The limit applies to consecutive failures without progress."""
    retries = Retries(RetryPolicy(attempts=2), FakeClock())
    for _ in range(20):
        assert retries.next_delay() is not None
        retries.reset()
    retries.next_delay()
    assert retries.next_delay() is None


@given(st.integers(1, 10_000), st.floats(0, 1e6), st.floats(0, 1e6), st.integers(1, 10_000))
def test_all_waits_are_within_their_bounds(
    attempts: int, wait_initial: float, wait_max: float, failures: int
) -> None:
    """For any number of failures, the longest wait is between 0 and `wait_max`."""
    policy = RetryPolicy(attempts=attempts, wait_initial=wait_initial, wait_max=wait_max)
    assert 0 <= policy.backoff(failures) <= wait_max


@pytest.mark.parametrize(
    "invalid",
    [
        {"attempts": 0},
        {"wait_initial": -1},
        {"wait_max": -0.1},
        {"retry_after_max": -1},
        {"wait_max": math.nan},
    ],
)
def test_an_invalid_policy_is_an_error(invalid: dict[str, float]) -> None:
    """The message names the field."""
    with pytest.raises(ConfigurationError, match=next(iter(invalid))):
        RetryPolicy(**invalid)  # type: ignore[arg-type]


async def test_the_system_clock() -> None:
    """Time passes, sleep returns, and random numbers are within their range."""
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0)
    assert clock.monotonic() >= before
    assert clock.time() > 1_700_000_000
    assert 0 <= clock.jitter(2.0) <= 2.0


@pytest.mark.parametrize(
    ("error", "is_retried"),
    [
        (ServerError("unavailable", status=503), True),
        (RateLimitError("too many requests", status=429), True),
        (NotFoundError("no such export", status=404), False),
        (ConnectionFailedError("connection reset"), True),
        (DecodeError("not JSON"), False),
        (StorageError("unavailable", export_id="exp_1", artifact=Artifact.CSV, status=503), True),
        (StorageError("forbidden", export_id="exp_1", artifact=Artifact.CSV, status=403), False),
        (StorageUnreachableError("reset", export_id="exp_1", artifact=Artifact.CSV), True),
        (IncompleteBodyError("short", export_id="exp_1", artifact=Artifact.CSV), True),
        (StalledError("stalled", export_id="exp_1", artifact=Artifact.CSV), True),
        (LinkExpiredError("expired", export_id="exp_1", artifact=Artifact.CSV), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_one_rule_for_all_errors(error: PackageXError, is_retried: bool) -> None:
    """Requests to the API and to storage are retried after the same kinds of failures."""
    delay = Retries(RetryPolicy(attempts=2), FakeClock()).delay_after(error)
    assert (delay is not None) is is_retried


def test_error_that_is_not_retryable() -> None:
    """A rejected certificate, for example, will be rejected again."""
    error = ConnectionFailedError("the certificate has expired")
    error.retryable = False
    assert Retries(RetryPolicy(), FakeClock()).delay_after(error) is None
