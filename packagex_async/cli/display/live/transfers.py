"""The rows of a download: one for all bytes, and one for each artifact in progress."""

from __future__ import annotations

import time

from packagex_async import Artifact, DownloadReport, LinkExpiredError, ProgressEvent, ProgressKind
from packagex_async.cli.display.estimate import Clock, DownloadEstimate, valid_length
from packagex_async.cli.display.live.rows import DisplayRow
from packagex_async.cli.display.tables import printable
from packagex_async.cli.output.sizes import format_size

MAX_ARTIFACT_ROWS = 8
"""Artifacts that are shown at the same time."""

_MAX_LABEL_LENGTH = 200
_FINAL_EVENTS = (ProgressKind.KEPT, ProgressKind.FINISHED, ProgressKind.FAILED)


class TransferRows:
    """Turns the events of downloads into rows.

    Args:
        exports: The number of exports, if it is known.
        clock: The source of time.
    """

    def __init__(self, exports: int | None = None, clock: Clock = time.monotonic) -> None:
        self.estimate: DownloadEstimate = DownloadEstimate(exports, clock)
        self._clock = clock
        # The last event of each artifact in progress, and the time of the next attempt.
        self._active: dict[tuple[str, Artifact], tuple[ProgressEvent, float]] = {}

    def on_progress(self, event: ProgressEvent) -> None:
        """Update the row of the artifact, and the bytes of the download."""
        self.estimate.on_progress(event)
        key = event.export_id, event.artifact
        if event.kind in _FINAL_EVENTS:
            self._active.pop(key, None)
        else:
            self._active[key] = event, self._clock() + (event.delay or 0.0)

    def on_report(self, report: DownloadReport) -> None:
        """Count the export as finished."""
        self.estimate.on_report(report)

    def rows(self) -> list[DisplayRow]:
        """Return the row of all bytes, and the rows of the artifacts that were started first."""
        active = list(self._active.values())[:MAX_ARTIFACT_ROWS]
        return [self._total_row(), *(self._artifact_row(event, next_at) for event, next_at in active)]

    def _total_row(self) -> DisplayRow:
        estimate = self.estimate
        total = estimate.total
        return byte_row(
            "total",
            estimate.received,
            total,
            is_exact=estimate.is_exact,
            details=speed_details(estimate.speed, estimate.remaining),
        )

    def _artifact_row(self, event: ProgressEvent, next_at: float) -> DisplayRow:
        label = printable(event.export_id, max_length=_MAX_LABEL_LENGTH)
        note = retry_note(event, max(next_at - self._clock(), 0.0))
        return byte_row(
            label,
            event.received,
            valid_length(event.total),
            suffix=f" {event.artifact}",
            details=(note,) if note else (),
        )


def byte_row(
    label: str,
    done: int,
    total: int | None,
    *,
    suffix: str = "",
    is_exact: bool = True,
    details: tuple[str, ...] = (),
) -> DisplayRow:
    """Return the row of an amount in bytes. The sign ~ marks a total that is an estimate."""
    end = f"/{'' if is_exact else '~'}{format_size(total)}" if total else ""
    return DisplayRow(
        label=label,
        suffix=suffix,
        fraction=min(done / total, 1.0) if total else None,
        amount=f"{format_size(done)}{end}",
        details=details,
    )


def speed_details(speed: float | None, remaining: float | None) -> tuple[str, ...]:
    """Return the remaining time and the speed, as far as they are known."""
    details = [f"{format_seconds(remaining)} left"] if remaining is not None else []
    return (*details, *([f"{format_size(speed)}/s"] if speed else []))


def retry_note(event: ProgressEvent, delay: float) -> str:
    """Return the seconds until the next attempt, or its number; empty at the first attempt."""
    if event.kind is not ProgressKind.RETRYING:
        return "" if event.attempt == 1 else f"attempt {event.attempt}"
    if isinstance(event.error, LinkExpiredError):
        return "URL renewed"
    return f"retry in {delay:.0f} s" if delay >= 1 else "retry"


def format_seconds(seconds: float) -> str:
    """Return a number of seconds as `minutes:seconds`, or as `hours:minutes:seconds`."""
    minutes, rest = divmod(int(min(seconds, 10**9)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
