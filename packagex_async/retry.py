"""When to try again and how long to wait: pure arithmetic."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Protocol

import attrs

from packagex_async.errors import ConfigurationError

RETRYABLE_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


class Clock(Protocol):
    """Everything this package knows of time and chance, so that a test can supply its own."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    def jitter(self, most: float) -> float:
        """A random number of seconds between 0 and `most`."""
        ...


class SystemClock:
    """The machine's clock and dice."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def jitter(self, most: float) -> float:
        return random.uniform(0, most)  # noqa: S311  # spreads retries, guards nothing


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often a request is tried again, and how long to wait before it.

    Waits grow exponentially with full jitter: before try n+1 a random time between 0 and
    `wait_initial * 2**(n-1)`, at most `wait_max`. A `Retry-After` is waited out on top of that. What creates
    an export is tried again only where it surely was not done.

    Args:
        attempts: Tries in a row that bring nothing new before the error is raised; 1 means never again.
        wait_initial: Seconds, the upper bound of the first wait.
        wait_max: Seconds, the upper bound of any wait.
        retry_after_max: Seconds; a server that asks for a longer wait is not waited for.

    Raises:
        ConfigurationError: A number that cannot work.
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
        """The longest wait, in seconds, after `failures` tries in a row that brought nothing new."""
        return min(self.wait_max, self.wait_initial * 2.0 ** min(failures - 1, 64))


@attrs.define(eq=False, repr=False)
class Retries:
    """The tries of one operation, counted under a policy."""

    policy: RetryPolicy
    clock: Clock
    failures: int = 0

    def next_delay(self, retry_after: float | None = None) -> float | None:
        """Count a failed try; return the seconds to wait before the next, or `None` to give up."""
        self.failures += 1
        if self.failures >= self.policy.attempts:
            return None
        if retry_after is not None and retry_after > self.policy.retry_after_max:
            return None
        return (retry_after or 0.0) + self.clock.jitter(self.policy.backoff(self.failures))

    def progressed(self) -> None:
        """Forget the failures so far: something new has arrived."""
        self.failures = 0
