"""The status of an export over time: queued, processing, then a final status."""

from __future__ import annotations

import attrs

from packagex_async.models import StatusName


@attrs.frozen(kw_only=True)
class Life:
    """The course of an export, by the emulator's clock. Every export is deleted after 24 hours.

    Attributes:
        queued: Seconds until the export is processed; `math.inf` keeps it queued.
        processing: Seconds of processing until the final status; `math.inf` keeps it in progress.
        outcome: The final status: `"completed"`, `"failed"`, `"timed_out"`, or any other string.
        rows: The number of rows of an export that a POST creates, unless the request sets a lower limit.
        error_rows: The number of rows that failed.
        sanitized_rows: The number of rows that were sanitized.
    """

    queued: float = 2.0
    processing: float = 5.0
    outcome: StatusName | str = "completed"
    rows: int = 2000
    error_rows: int = 0
    sanitized_rows: int = 0

    def status_at(self, age: float) -> tuple[str, float]:
        """Return the status at `age` seconds, and the age in seconds at which that status was reached."""
        if age < self.queued:
            return "queued", 0.0
        if age < self.queued + self.processing:
            return "processing", self.queued
        return self.outcome, self.queued + self.processing
