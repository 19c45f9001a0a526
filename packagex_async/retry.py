"""The retry policy: which failures are retried, and after how many seconds."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Protocol

import attrs

from packagex_async.errors import (
    ApiError,
    ConfigurationError,
    ConnectionFailedError,
    IncompleteBodyError,
    PackageXError,
    StalledError,
    StorageError,
)

RETRYABLE_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


def growing_interval(number: int, *, initial: float, maximum: float, factor: float = 2.0) -> float:
    """Return the interval of this number, from 0, of a series that grows exponentially up to `maximum`."""
    return min(maximum, initial * factor ** min(number, 64))


class Clock(Protocol):
    """The source of time and random numbers, which tests replace."""

    def time(self) -> float:
        """Return the seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never decrease."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for a number of seconds."""
        ...

    def jitter(self, max_seconds: float, /) -> float:
        """Return a random number of seconds between 0 and `max_seconds`."""
        ...


class SystemClock:
    """The clock of the system, and random numbers."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def jitter(self, max_seconds: float, /) -> float:
        return random.uniform(0, max_seconds)  # noqa: S311  # not used for security


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """The number of attempts of a request, and the waits between them.

    The wait before attempt n+1 is random, between 0 and `wait_initial * 2**(n-1)` seconds, and at most
    `wait_max` seconds. If the server requests a wait with `Retry-After`, that time is added. A request that
    creates an export is repeated only if the server certainly did not process it.

    Args:
        attempts: The number of consecutive attempts without progress before the error is raised; 1 means no
            retries.
        wait_initial: The upper bound of the first wait, in seconds.
        wait_max: The upper bound of each wait, in seconds, without the time that `Retry-After` adds.
        retry_after_max: The longest `Retry-After` to wait for, in seconds. If the server requests more, the
            error is raised.

    Raises:
        ConfigurationError: A number is out of range.
    """

    attempts: int = 5
    wait_initial: float = 0.5
    wait_max: float = 20.0
    retry_after_max: float = 120.0

    def __attrs_post_init__(self) -> None:
        if self.attempts < 1:
            raise ConfigurationError(f"RetryPolicy.attempts must be 1 or more, not {self.attempts}")
        for name in ("wait_initial", "wait_max", "retry_after_max"):
            if not getattr(self, name) >= 0:
                raise ConfigurationError(f"RetryPolicy.{name} must be 0 seconds or more")

    def backoff(self, failures: int) -> float:
        """Return the longest wait in seconds after a number of consecutive failures without progress."""
        return growing_interval(failures - 1, initial=self.wait_initial, maximum=self.wait_max)


class Retries:
    """Counts the failed attempts of an operation, and applies the policy.

    Args:
        policy: The policy.
        clock: The source of random numbers.

    Attributes:
        failures: The number of consecutive failures.
    """

    def __init__(self, policy: RetryPolicy, clock: Clock) -> None:
        self.policy = policy
        self.failures: int = 0
        self._clock = clock

    def delay_after(self, error: PackageXError) -> float | None:
        """Count a failure; return the seconds until the next attempt, or `None` if `error` is final."""
        if isinstance(error, (IncompleteBodyError, StalledError)):
            return self.next_delay()
        if isinstance(error, ConnectionFailedError):
            return self.next_delay() if error.retryable else None
        if isinstance(error, (ApiError, StorageError)) and error.status in RETRYABLE_STATUSES:
            return self.next_delay(error.retry_after)
        return None

    def next_delay(self, retry_after: float | None = None) -> float | None:
        """Count a failure; return the seconds until the next attempt, or `None` if there is none."""
        self.failures += 1
        if self.failures >= self.policy.attempts:
            return None
        if retry_after is not None and retry_after > self.policy.retry_after_max:
            return None
        return (retry_after or 0.0) + self._clock.jitter(self.policy.backoff(self.failures))

    def reset(self) -> None:
        """Reset the count, because the operation has made progress."""
        self.failures = 0
