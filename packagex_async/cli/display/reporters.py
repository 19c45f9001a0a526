"""Report the progress of `sync`: not at all, as lines on stderr, or as JSON on stdout."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from packagex_async import Artifact, DownloadReport, PackageXError, Poll, ProgressEvent, ProgressKind
from packagex_async.cli.display import events
from packagex_async.cli.display.dashboard import Dashboard, poll_message, wait_message
from packagex_async.cli.display.estimate import Clock
from packagex_async.cli.display.notices import Notice, NoticePrinter
from packagex_async.cli.display.tables import print_error, print_json
from packagex_async.cli.display.totals import Totals, count, errors_of
from packagex_async.cli.follow.repeated_failures import RepeatedFailures
from packagex_async.cli.messages.failures import FailurePrinter
from packagex_async.cli.messages.hints import error_message
from packagex_async.cli.output.sizes import format_bytes, format_size
from packagex_async.cli.settings.destination import location_of
from packagex_async.cli.stdio import can_redraw

_MIN_EVENT_INTERVAL = 0.125
"""Seconds between two `advanced` events of an artifact in JSON."""

_NOTICEABLE_DELAY = 1.0
"""Seconds of a delay before the next attempt of an artifact that has a line of its own."""


class NullReporter:
    """Reports nothing."""

    is_live = False
    """Whether the reporter shows a live display and uses `set_total`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def set_total(self, exports: int | None) -> None:
        """Set the number of exports, if it is known."""

    def on_wait(self, export_ids: tuple[str, ...]) -> None:
        """Report the exports that are waited for. Called again when they change."""

    def on_poll(self, poll: Poll) -> None:
        """Report a poll of `--follow`."""

    def on_progress(self, event: ProgressEvent) -> None:
        """Report a progress event of an artifact."""

    def on_notice(self, notice: Notice) -> None:
        """Report a request that is repeated, or URLs that were renewed."""

    def on_report(self, report: DownloadReport) -> None:
        """Report an export."""


class LineReporter(NullReporter):
    """Prints a line to stderr for each downloaded file, each failure and each wait, but not for kept files.

    Args:
        clock: The source of time.
        failures: The failures that are not printed again; `None` prints all failures.
        exact_sizes: Show sizes in bytes.
    """

    def __init__(
        self,
        clock: Clock = time.monotonic,
        failures: RepeatedFailures | None = None,
        *,
        exact_sizes: bool = False,
    ) -> None:
        self._is_waiting = False
        self._failures = FailurePrinter()
        self._repeated = failures
        self._format_size = format_bytes if exact_sizes else format_size
        self._print_retry = NoticePrinter(clock)

    def on_wait(self, export_ids: tuple[str, ...]) -> None:
        """Print one line when the wait begins."""
        if not self._is_waiting:
            self._is_waiting = True
            print_error(wait_message(len(export_ids)))

    def on_poll(self, poll: Poll) -> None:
        print_error(poll_message(poll))

    def on_notice(self, notice: Notice) -> None:
        """Print the first retry of an episode, and each renewal of URLs."""
        if notice.delay is None:
            print_error(notice.text)
        self._print_retry(notice)

    def on_progress(self, event: ProgressEvent) -> None:
        """Print a line if the next attempt of an artifact is delayed."""
        if event.error is None or event.delay is None or event.delay < _NOTICEABLE_DELAY:
            return
        if self._repeated is None or event.export_id not in self._repeated:
            print_error(f"{error_message(event.error)}; next attempt in {event.delay:.0f} s")

    def on_report(self, report: DownloadReport) -> None:
        for file in report.files:
            if not file.kept:
                rows = "" if file.rows is None else f", {count(file.rows, 'row')}"
                print_error(
                    location_of(file), f": {self._format_size(file.size)}{rows}, verified by {file.verified}"
                )
        self._failures.print(_new_errors(report, self._repeated))


class JsonReporter(NullReporter):
    """Prints a line of JSON to stdout for each progress event and each export, and failures to stderr too.

    A file has at most ten events per second: `advanced` events that follow another one too soon are left out.

    Args:
        clock: The source of time.
        failures: The failures that are not printed again to stderr; `None` prints all failures.
    """

    def __init__(self, clock: Clock = time.monotonic, failures: RepeatedFailures | None = None) -> None:
        self._is_waiting = False
        self._failures = FailurePrinter()
        self._repeated = failures
        self._clock = clock
        # The time of the last `advanced` event of each artifact in progress.
        self._advanced_at: dict[tuple[str, Artifact], float] = {}

    def on_wait(self, export_ids: tuple[str, ...]) -> None:
        """Print one line when the wait begins."""
        if not self._is_waiting:
            self._is_waiting = True
            print_json({"event": "waiting", "export_ids": list(export_ids)})

    def on_poll(self, poll: Poll) -> None:
        # A broken pipe ends the command here, because there may be no report for a long time.
        print_json(events.poll_record(poll))

    def on_notice(self, notice: Notice) -> None:
        _print_event(events.notice_record(notice))

    def on_progress(self, event: ProgressEvent) -> None:
        artifact, now = (event.export_id, event.artifact), self._clock()
        if event.kind is ProgressKind.ADVANCED:
            if now - self._advanced_at.get(artifact, float("-inf")) < _MIN_EVENT_INTERVAL:
                return
            self._advanced_at[artifact] = now
        elif event.kind in (ProgressKind.FINISHED, ProgressKind.FAILED, ProgressKind.KEPT):
            self._advanced_at.pop(artifact, None)
        _print_event(events.progress_record(event))

    def on_report(self, report: DownloadReport) -> None:
        print_json(events.report_record(report))
        self._failures.print(_new_errors(report, self._repeated))


Reporter = NullReporter | Dashboard


def choose_reporter(
    totals: Totals,
    *,
    json: bool,
    quiet: bool,
    dry_run: bool = False,
    follow: bool = False,
    exact_sizes: bool = False,
) -> Reporter:
    """Return the reporter for these options and the current terminal."""
    failures = RepeatedFailures() if follow else None
    if json:
        return JsonReporter(failures=failures)
    if quiet:
        return NullReporter()
    if can_redraw():
        return Dashboard(totals, has_transfers=not dry_run)
    return LineReporter(failures=failures, exact_sizes=exact_sizes)


def _new_errors(report: DownloadReport, repeated: RepeatedFailures | None) -> Sequence[PackageXError]:
    return errors_of(report) if repeated is None else repeated.add(report)


def _print_event(record: events.Record) -> None:
    # A broken pipe must not fail the download: `on_report` raises it again, after the download.
    with suppress(OSError):
        print_json(record)
