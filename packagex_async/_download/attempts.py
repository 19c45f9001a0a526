"""How often one artifact was asked for, and whether a failure is worth another try."""

from __future__ import annotations

import attrs

from packagex_async._context import ClientContext
from packagex_async._transport.stall_detector import MIN_RATE
from packagex_async.errors import (
    ChecksumError,
    DownloadError,
    IncompleteBodyError,
    LinkExpiredError,
    StalledError,
    StorageError,
    StorageUnreachableError,
)
from packagex_async.retry import RETRYABLE_STATUSES, Retries


@attrs.define(eq=False, repr=False)
class AttemptTracker:
    """The tries for one artifact.

    Attributes:
        retries: The policy's count of tries that brought nothing new.
        window: Seconds over which a crawl is told from a pause.
        count: How many tries have begun.
    """

    retries: Retries
    window: float
    count: int = attrs.field(init=False, default=0)
    _furthest: int = attrs.field(init=False, default=0)
    _gained: int = attrs.field(init=False, default=0)
    _distrusted: bool = attrs.field(init=False, default=False)
    _renewed: bool = attrs.field(init=False, default=False)

    @classmethod
    def begin_with(cls, context: ClientContext) -> AttemptTracker:
        """Return the attempts of a new transfer."""
        return cls(context.retries(), context.stall_timeout)

    def begin(self) -> None:
        """Count a try."""
        self.count += 1
        self._gained = 0

    def reached(self, size: int) -> None:
        """Take note that a try holds `size` bytes; more than any before it is progress."""
        if size > self._furthest:
            self._gained += size - self._furthest
            self._furthest = size
            self._renewed = False

    def wants_link(self, failure: DownloadError) -> bool:
        """Whether a fresh link may help; right after one it would not."""
        gone = isinstance(failure, StorageError) and failure.status == 404
        wants = (gone or isinstance(failure, LinkExpiredError)) and not self._renewed
        self._renewed |= wants
        return wants

    def delay_after(self, failure: DownloadError) -> float | None:
        """Seconds to wait before another try after `failure`, or `None` when it is final."""
        # Who trickles for ever makes no progress.
        if self._gained >= (MIN_RATE * self.window if isinstance(failure, StalledError) else 1):
            self.retries.reset()
        if isinstance(failure, ChecksumError):
            return self._once_more()
        if isinstance(failure, StorageUnreachableError) and not failure.retryable:
            return None
        if isinstance(failure, (IncompleteBodyError, StalledError, StorageUnreachableError)):
            return self.retries.next_delay()
        if isinstance(failure, StorageError) and failure.status in RETRYABLE_STATUSES:
            return self.retries.next_delay(failure.retry_after)
        return None

    def _once_more(self) -> float | None:
        again = not self._distrusted and self.retries.policy.attempts > 1
        self._distrusted = True
        return 0.0 if again else None
