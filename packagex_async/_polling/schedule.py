"""Intervals and time limit for polling one export."""

from __future__ import annotations

import math
from datetime import datetime

from packagex_async._utils.redaction import sanitize
from packagex_async.errors import ConfigurationError, ExportGoneError, ExportStateError, WaitTimeoutError
from packagex_async.models import LIFETIME, Export
from packagex_async.retry import Clock, growing_interval

INITIAL_INTERVAL = 1.0
"""Maximum seconds before the second request."""

GROWTH_FACTOR = 1.5
"""Ratio of one interval to the previous one."""

MAX_INTERVAL = 30.0
"""Maximum seconds between two requests."""

MIN_REQUEST_TIMEOUT = 1.0
"""Seconds for the last request, even if the time limit is reached."""

_LIFETIME = LIFETIME.total_seconds()


class PollSchedule:
    """Intervals between requests for one export, and the time that remains.

    Args:
        clock: Source of time and of random numbers.
        timeout: Seconds until polling ends. `None` means 24 hours, which is also the maximum: the API deletes
            an export at that age.
    """

    def __init__(self, clock: Clock, timeout: float | None) -> None:
        self._clock = clock
        self._timeout = timeout
        self._intervals = 0
        self._started_at = clock.monotonic()

    @property
    def remaining(self) -> float:
        """Seconds until the time limit, at least 0."""
        limit = _LIFETIME if self._timeout is None else min(self._timeout, _LIFETIME)
        return max(0.0, self._started_at + limit - self._clock.monotonic())

    @property
    def request_timeout(self) -> float:
        """Timeout of the next request in seconds."""
        return max(self.remaining, MIN_REQUEST_TIMEOUT)

    def next_interval(self) -> float:
        """Return the seconds until the next request.

        The value is random between 50 % and 100 % of the growing interval, and at most the remaining time.
        """
        interval = growing_interval(
            self._intervals, initial=INITIAL_INTERVAL, maximum=MAX_INTERVAL, factor=GROWTH_FACTOR
        )
        self._intervals += 1
        return min(self.remaining, interval / 2 + self._clock.jitter(interval / 2))

    def timeout_error(
        self, export_id: str, status: str | None, *, is_expired: bool = False
    ) -> ExportStateError:
        """Return the error for an export that was not completed in time, or expired before."""
        state = f"export {sanitize(export_id)} is still {sanitize(status or 'without a status')}"
        if is_expired or self._timeout is None or self._timeout >= _LIFETIME:
            return ExportGoneError(
                f"{state} after 24 hours, and the API deletes it now: create a new export",
                export_id=export_id,
            )
        return WaitTimeoutError(
            f"{state} after {self._timeout:g} seconds: wait again, or with a longer timeout",
            export_id=export_id,
            status=status,
        )


def is_expired(export: Export, server_date: datetime | None) -> bool:
    """Return whether the export was 24 hours old at `server_date`."""
    return bool(export.created_at and server_date and server_date - export.created_at >= LIFETIME)


def check_timeout(timeout: float | None) -> None:
    """Check the `timeout` parameter of `wait`.

    Raises:
        ConfigurationError: It is neither `None` nor a number above 0.
    """
    if timeout is not None and not (_is_number(timeout) and timeout > 0):
        raise ConfigurationError(f"timeout must be more than 0 seconds, or None, not {timeout!r}")


def timeout_from(wait: bool | float) -> float | None:
    """Return the timeout in the `wait` parameter of `download_all`, in seconds; `None` for `True` and
    `False`.

    Raises:
        ConfigurationError: It is neither a bool nor a finite number above 0.
    """
    if isinstance(wait, bool):
        return None
    if not (_is_number(wait) and 0 < wait < math.inf):
        raise ConfigurationError(f"wait must be True, False or a number of seconds above 0, not {wait!r}")
    return wait


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
