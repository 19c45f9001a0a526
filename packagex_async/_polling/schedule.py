"""How an export is waited for: when to look again, and what a look means; arithmetic on a clock handed in."""

from __future__ import annotations

from datetime import datetime

import attrs

from packagex_async._utils.redaction import sanitize
from packagex_async.errors import ExportGoneError, ExportStateError, WaitTimeoutError
from packagex_async.models import LIFETIME, Export
from packagex_async.retry import Clock

INTERVAL = 1.0
"""Seconds, the longest wait before the second look."""

GROWTH = 1.5
"""By how much each wait may be longer than the one before."""

INTERVAL_MAX = 30.0
"""Seconds, the longest wait of all."""

LAST_LOOK = 1.0
"""Seconds for a look at the very end of a wait, when none are left."""

_LIFETIME = LIFETIME.total_seconds()


@attrs.define(eq=False, repr=False)
class PollSchedule:
    """The time spent waiting for one export, and what is left of it.

    Args:
        clock: Where time and chance come from.
        timeout: Seconds to wait, 24 hours at most, for no export lives longer; `None` for all of them.
    """

    clock: Clock
    timeout: float | None
    _looks: int = attrs.field(init=False, default=0)
    _began: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self.clock.monotonic()

    @property
    def left(self) -> float:
        """Seconds that are left, not below 0."""
        limit = _LIFETIME if self.timeout is None else min(self.timeout, _LIFETIME)
        return max(0.0, self._began + limit - self.clock.monotonic())

    @property
    def last_look(self) -> float:
        """Seconds that a look may take."""
        return max(self.left, LAST_LOOK)

    def next_interval(self) -> float:
        """Seconds until the next look: between half of a growing interval and all of it, within the time."""
        longest = min(INTERVAL_MAX, INTERVAL * GROWTH ** min(self._looks, 64))
        self._looks += 1
        return min(self.left, longest / 2 + self.clock.jitter(longest / 2))

    def over(self, export_id: str, status: str | None, *, outlived: bool = False) -> ExportStateError:
        """Return the error for an export that was not completed in time, or has `outlived` its 24 hours."""
        shown = f"export {sanitize(export_id)} is still {sanitize(status or 'without a status')}"
        if outlived or self.timeout is None or self.timeout >= _LIFETIME:
            return ExportGoneError(f"{shown}, and its 24 hours are over", export_id=export_id)
        return WaitTimeoutError(
            f"{shown} after {self.timeout:g} seconds: wait for it again, or for longer",
            export_id=export_id,
            status=status,
        )


def outlived(export: Export, served: datetime | None) -> bool:
    """Whether `export` is past its 24 hours by the clock of the server, which `served` the answer then."""
    return bool(export.created_at and served and served - export.created_at >= LIFETIME)
