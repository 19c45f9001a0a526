"""The attempts of one transfer: their number, and whether another one is worthwhile."""

from __future__ import annotations

from collections.abc import Callable

from packagex_async import _logs
from packagex_async._context import ClientContext
from packagex_async._transport.stall_detector import MIN_RATE
from packagex_async.errors import (
    ChecksumError,
    DownloadError,
    LinkExpiredError,
    StalledError,
    StorageError,
)

OnRetry = Callable[[DownloadError, float], object]
"""Called with the failure of an attempt, and the seconds until the next one."""


class AttemptTracker:
    """Counts the attempts of one transfer.

    Args:
        context: The state of the client. Its retry policy limits the attempts without progress.

    Attributes:
        count: The number of attempts that have begun.
    """

    def __init__(self, context: ClientContext) -> None:
        self.count = 0
        self._retries = context.retries()
        self._clock = context.clock
        self._stall_timeout = context.stall_timeout
        self._max_received = self._gained = 0
        self._had_wrong_hash = self._has_new_url = False

    def begin(self) -> None:
        """Count an attempt."""
        self.count += 1
        self._gained = 0

    def reached(self, size: int) -> None:
        """Record that `size` bytes were received. More bytes than in any earlier attempt are progress."""
        if size > self._max_received:
            self._gained += size - self._max_received
            self._max_received = size
            self._has_new_url = False

    def wants_new_url(self, failure: DownloadError) -> bool:
        """Return whether a new URL may help, and record that it is requested.

        A second new URL does not help, unless bytes were received since the first one.
        """
        is_gone = isinstance(failure, StorageError) and failure.status == 404
        wants = (is_gone or isinstance(failure, LinkExpiredError)) and not self._has_new_url
        self._has_new_url |= wants
        return wants

    async def wait_after(self, failure: DownloadError, on_retry: OnRetry | None = None) -> None:
        """Wait before another attempt, as long as the retry policy says; raise `failure` if it is final.

        Args:
            failure: The failure of the last attempt.
            on_retry: Called before the wait.
        """
        delay = self._delay_after(failure)
        if delay is None:
            raise failure
        await self.wait(failure, delay, on_retry)

    async def wait(self, failure: DownloadError, delay: float, on_retry: OnRetry | None) -> None:
        """Log a failure, call `on_retry`, and wait for `delay` seconds."""
        _logs.retrying(failure, delay)
        if on_retry is not None:
            on_retry(failure, delay)
        await self._clock.sleep(delay)

    def _delay_after(self, failure: DownloadError) -> float | None:
        """Return the seconds to wait before another attempt, or `None` if `failure` is final."""
        # A stalled transfer counts as progress only above the minimum rate.
        required = MIN_RATE * self._stall_timeout if isinstance(failure, StalledError) else 1
        if self._gained >= required:
            self._retries.reset()
        if isinstance(failure, ChecksumError):
            return self._delay_after_wrong_hash()
        return self._retries.delay_after(failure)

    def _delay_after_wrong_hash(self) -> float | None:
        again = not self._had_wrong_hash and self._retries.policy.attempts > 1
        self._had_wrong_hash = True
        return 0.0 if again else None
