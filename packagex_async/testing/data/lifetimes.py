"""The life of an export that is not completed yet: queued, then processing, then its end."""

from __future__ import annotations

import attrs

from packagex_async.models import StatusName


@attrs.frozen(kw_only=True)
class Life:
    """What becomes of an export, by the emulator's clock; after 24 hours it is deleted, whatever this says.

    Attributes:
        queued: Seconds before it is processed; `math.inf` for one that never is.
        processing: Seconds before it reaches its end; `math.inf` for one that never does.
        outcome: Its end: `"completed"`, `"failed"`, `"timed_out"`, or a status nobody has heard of.
        rows: How many rows it has if a POST creates it, unless it is asked for fewer.
        error_rows: How many of them failed.
        sanitized_rows: How many of them were held back.
    """

    queued: float = 2.0
    processing: float = 5.0
    outcome: StatusName | str = "completed"
    rows: int = 2000
    error_rows: int = 0
    sanitized_rows: int = 0

    def stage(self, age: float) -> tuple[str, float]:
        """The status at `age` seconds, and the age at which it was reached."""
        if age < self.queued:
            return "queued", 0.0
        if age < self.queued + self.processing:
            return "processing", self.queued
        return self.outcome, self.queued + self.processing
