"""Report the progress of `sync`: not at all, as lines on stderr, or as JSON on stdout."""

from __future__ import annotations

import sys
from contextlib import suppress
from types import TracebackType
from typing import Self

from packagex_async import DownloadReport, ProgressEvent
from packagex_async.cli.display import events
from packagex_async.cli.display.dashboard import Dashboard, wait_message
from packagex_async.cli.display.tables import print_error, print_json
from packagex_async.cli.display.totals import Totals, errors_of
from packagex_async.cli.messages.failures import FailurePrinter


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

    def on_progress(self, event: ProgressEvent) -> None:
        """Report a progress event of an artifact."""

    def on_report(self, report: DownloadReport, totals: Totals) -> None:
        """Report an export. `totals` includes it."""


class LineReporter(NullReporter):
    """Prints a line to stderr for each downloaded file and each failure, but not for files that were kept."""

    def __init__(self) -> None:
        self._is_waiting = False
        self._failures = FailurePrinter()

    def on_wait(self, export_ids: tuple[str, ...]) -> None:
        """Print one line when the wait begins."""
        if not self._is_waiting:
            self._is_waiting = True
            print_error(wait_message(len(export_ids)))

    def on_report(self, report: DownloadReport, totals: Totals) -> None:
        for file in report.files:
            if not file.kept:
                rows = "" if file.rows is None else f", {file.rows} rows"
                print_error(file.path, f": {file.size} bytes{rows}, verified by {file.verified}")
        self._failures.print(errors_of(report))


class JsonReporter(NullReporter):
    """Prints a line of JSON to stdout for each progress event and each export, and failures to stderr too."""

    def __init__(self) -> None:
        self._is_waiting = False
        self._failures = FailurePrinter()

    def on_wait(self, export_ids: tuple[str, ...]) -> None:
        """Print one line when the wait begins."""
        if not self._is_waiting:
            self._is_waiting = True
            print_json({"event": "waiting", "export_ids": list(export_ids)})

    def on_progress(self, event: ProgressEvent) -> None:
        # A broken pipe must not fail the download: `on_report` raises it again, after the download.
        with suppress(OSError):
            print_json(events.progress_record(event))

    def on_report(self, report: DownloadReport, totals: Totals) -> None:
        print_json(events.report_record(report))
        self._failures.print(errors_of(report))


Reporter = NullReporter | Dashboard


def choose_reporter(*, json: bool, quiet: bool) -> Reporter:
    """Return the reporter for these options and the current terminal."""
    if json:
        return JsonReporter()
    if quiet:
        return NullReporter()
    return Dashboard() if sys.stderr.isatty() else LineReporter()
