"""The live display of `sync`: counts, bytes, artifacts in progress, and everything that is waited for."""

from __future__ import annotations

import time
from collections.abc import Sequence

from packagex_async import DownloadReport, Poll, ProgressEvent
from packagex_async.cli.display.estimate import Clock
from packagex_async.cli.display.live.rows import DisplayRow
from packagex_async.cli.display.live.terminal import LiveDisplay
from packagex_async.cli.display.live.transfers import TransferRows
from packagex_async.cli.display.notices import Notice, describe_delay
from packagex_async.cli.display.tables import printable
from packagex_async.cli.display.totals import Totals, count

_MAX_NOTICE_LENGTH = 200
_NOTICE_SECONDS = 5.0
"""Seconds for which a notice without a delay is shown."""


class Dashboard(LiveDisplay):
    """The rows of a run: exports and files, bytes, artifacts in progress, and waits.

    Args:
        totals: The totals of the run.
        clock: The source of time.
        has_transfers: Show bytes and artifacts. Otherwise only the number of exports is shown.
    """

    def __init__(self, totals: Totals, clock: Clock = time.monotonic, *, has_transfers: bool = True) -> None:
        super().__init__(quiet=False)
        self._has_transfers = has_transfers
        self._totals = totals
        self._clock = clock
        self._transfers = TransferRows(clock=clock)
        self._pending = 0
        self._poll: Poll | None = None
        self._notice: tuple[Notice, float] | None = None

    def set_total(self, exports: int | None) -> None:
        """Show the number of exports, if it is known."""
        with self._lock:
            self._transfers.estimate.exports = exports

    def on_wait(self, export_ids: tuple[str, ...]) -> None:
        """Show the number of exports that are waited for, if there are any."""
        with self._lock:
            self._pending = len(export_ids)

    def on_poll(self, poll: Poll) -> None:
        """Show the counts of the last poll."""
        with self._lock:
            self._poll = poll

    def on_notice(self, notice: Notice) -> None:
        """Show a request that is repeated, until its next attempt."""
        with self._lock:
            self._notice = notice, self._clock() + (_NOTICE_SECONDS if notice.delay is None else notice.delay)

    def on_progress(self, event: ProgressEvent) -> None:
        """Update the row of the artifact, and add the bytes to the total."""
        with self._lock:
            self._transfers.on_progress(event)

    def on_report(self, report: DownloadReport) -> None:
        """Count the export. The progress events have already shown the report itself."""
        with self._lock:
            self._transfers.on_report(report)

    def rows(self) -> Sequence[DisplayRow]:
        exports = self._transfers.estimate.exports
        if self._has_transfers:
            rows = [DisplayRow(label=_counts(self._totals, exports)), *self._transfers.rows()]
        else:
            rows = [DisplayRow(label=f"{_finished(self._totals, exports)} checked")]
        return [
            *rows,
            *([DisplayRow(label=wait_message(self._pending))] if self._pending else []),
            *([DisplayRow(label=poll_message(self._poll))] if self._poll else []),
            *self._notice_rows(),
        ]

    def _notice_rows(self) -> list[DisplayRow]:
        if self._notice is None or (seconds := self._notice[1] - self._clock()) <= 0:
            return []
        notice, _ = self._notice
        suffix = "" if notice.delay is None else describe_delay(seconds)
        return [DisplayRow(label=printable(notice.text, max_length=_MAX_NOTICE_LENGTH), suffix=suffix)]


def wait_message(exports: int) -> str:
    """Return the message for a number of exports that are waited for."""
    return f"waiting for {count(exports, 'export')}"


def poll_message(poll: Poll) -> str:
    """Return the message for a poll of `--follow`."""
    found = f"{count(poll.found, 'new export')}, {poll.retried:,} tried again"
    outcome = "polled" if poll.error is None else "poll failed"
    return f"{outcome}: {found}, {poll.pending:,} in progress, {poll.failing:,} failing"


def _counts(totals: Totals, exports: int | None) -> str:
    parts = [
        _finished(totals, exports),
        count(totals.files, "file"),
        f"{totals.kept:,} kept",
        f"{totals.failed:,} failed",
    ]
    parts += [f"{totals.failed_exports:,} failed on the platform"] if totals.failed_exports else []
    return ", ".join(parts)


def _finished(totals: Totals, exports: int | None) -> str:
    if exports is None:
        return count(totals.exports, "export")
    return f"{totals.exports:,}/{count(exports, 'export')}"
