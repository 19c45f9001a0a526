"""Exports whose download has failed, and when each is downloaded again."""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs

from packagex_async.errors import ExportFailedError, ExportGoneError, ExportTimedOutError
from packagex_async.models import Export
from packagex_async.report import DownloadReport
from packagex_async.retry import Clock, growing_interval

MAX_INTERVAL = 900.0
"""Maximum seconds between two attempts, if polls are not further apart."""

MAX_STARTED = 500
"""Maximum number of exports that one poll repeats, so that further polls are not delayed for long."""

_PERMANENT_ERRORS = (ExportFailedError, ExportTimedOutError, ExportGoneError)


@attrs.define(eq=False, repr=False)
class _FailedExport:
    """An export whose download has failed.

    Attributes:
        export: The export without its URLs.
        attempts: The number of failed attempts.
        due_at: The time of the next attempt in seconds; infinite while it is running.
    """

    export: Export
    attempts: int = 0
    due_at: float = math.inf


class FailedExports:
    """Exports whose download has failed.

    The first repetition is due at once, and the second after `interval`. Each further interval is twice as
    long, up to 15 minutes.

    Args:
        clock: The source of time.
        interval: The seconds between two polls.
    """

    def __init__(self, clock: Clock, interval: float) -> None:
        self._clock = clock
        self._interval = interval
        self._failed: dict[str, _FailedExport] = {}

    def __len__(self) -> int:
        return len(self._failed)

    def __contains__(self, export_id: str) -> bool:
        return export_id in self._failed

    def on_report(self, report: DownloadReport) -> None:
        """Add the export of `report` if its download failed and may succeed later; remove it otherwise."""
        errors = [*report.failures, *([report.error] if report.error else [])]
        is_permanent = any(isinstance(error, _PERMANENT_ERRORS) for error in errors)
        if report.export is None or not errors or is_permanent:
            self._failed.pop(report.export_id, None)
            return
        # Without its URLs the export is retrieved again. This shows whether it exists.
        export = attrs.evolve(
            report.export, json_url=None, csv_url=None, csv_error_url=None, csv_sanitized_url=None
        )
        failed = self._failed.setdefault(report.export_id, _FailedExport(export))
        failed.attempts += 1
        failed.due_at = self._clock.monotonic() + self._delay_after(failed.attempts)

    def start_due(self, is_listed: Callable[[str], bool]) -> list[Export]:
        """Return exports whose next attempt is due, and count them as running.

        At most `MAX_STARTED` exports are returned, those that are due for the longest time first.

        Args:
            is_listed: Returns whether the API has listed an export recently. Others are removed.
        """
        now = self._clock.monotonic()
        for export_id in [export_id for export_id in self._failed if not is_listed(export_id)]:
            del self._failed[export_id]
        due = sorted(
            (each for each in self._failed.values() if each.due_at <= now), key=lambda failed: failed.due_at
        )[:MAX_STARTED]
        for failed in due:
            failed.due_at = math.inf
        return [failed.export for failed in due]

    def _delay_after(self, attempts: int) -> float:
        if attempts == 1:
            return 0.0
        maximum = max(MAX_INTERVAL, self._interval)
        return growing_interval(attempts - 2, initial=self._interval, maximum=maximum)
