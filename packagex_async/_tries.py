"""How often one artifact was asked for, and whether a failure is worth another try."""

from __future__ import annotations

import attrs

from packagex_async.errors import (
    ChecksumError,
    DownloadError,
    IncompleteBodyError,
    StalledError,
    StorageError,
    StorageUnreachableError,
)
from packagex_async.retry import RETRYABLE_STATUSES, Retries


@attrs.define
class Tries:
    """The tries for one artifact.

    Attributes:
        retries: The policy's count of tries that brought nothing new.
        count: How many tries have begun.
    """

    retries: Retries
    count: int = 0
    _furthest: int = attrs.field(init=False, default=0)
    _distrusted: bool = attrs.field(init=False, default=False)

    def reached(self, size: int) -> None:
        """Take note that a try holds `size` bytes; more than any before it is progress."""
        if size > self._furthest:
            self._furthest = size
            self.retries.progressed()

    def delay_after(self, failure: DownloadError) -> float | None:
        """Seconds to wait before another try after `failure`, or `None` when it is final."""
        if isinstance(failure, ChecksumError):
            return self._once_more()
        if isinstance(failure, (IncompleteBodyError, StalledError, StorageUnreachableError)):
            return self.retries.next_delay()
        if isinstance(failure, StorageError) and failure.status in RETRYABLE_STATUSES:
            return self.retries.next_delay(failure.retry_after)
        return None

    def _once_more(self) -> float | None:
        again = not self._distrusted and self.retries.policy.attempts > 1
        self._distrusted = True
        return 0.0 if again else None
