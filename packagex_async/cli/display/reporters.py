"""Who tells of many downloads while they run: nobody, a line a file on stderr, or JSON on stdout."""

from __future__ import annotations

import sys
from contextlib import suppress
from types import TracebackType
from typing import Self

from packagex_async import DownloadReport, ProgressEvent
from packagex_async.cli.display import events
from packagex_async.cli.display.dashboard import Board, waiting_for
from packagex_async.cli.display.tables import complain, show_json
from packagex_async.cli.display.tally import Tally, errors_of


class Silence:
    """Says nothing."""

    live = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def expect(self, exports: int | None) -> None:
        """Take note of how many exports there are, if that is known."""

    def waits(self, export_ids: tuple[str, ...]) -> None:
        """Show which exports are waited for; called again whenever their number changes."""

    def step(self, event: ProgressEvent) -> None:
        """Tell of one step of one artifact."""

    def done(self, report: DownloadReport, tally: Tally) -> None:
        """Tell of one export, which `tally` has counted."""


class Lines(Silence):
    """Says a line on stderr for each file that came, and for each failure; what was kept is only counted."""

    def __init__(self) -> None:
        self._waits = False

    def waits(self, export_ids: tuple[str, ...]) -> None:
        """Write one line when the waiting begins."""
        if not self._waits:
            self._waits = True
            complain(waiting_for(len(export_ids)))

    def done(self, report: DownloadReport, tally: Tally) -> None:
        for file in report.files:
            if not file.kept:
                complain(file.path, f": {file.size} bytes, verified by {file.verified}")
        _complain_of(report)


class Feed(Silence):
    """Writes a line of JSON on stdout for each step and each export; failures are on stderr, too."""

    def __init__(self) -> None:
        self._waits = False

    def waits(self, export_ids: tuple[str, ...]) -> None:
        """Write one line when the waiting begins."""
        if not self._waits:
            self._waits = True
            show_json({"event": "waiting", "export_ids": list(export_ids)})

    def step(self, event: ProgressEvent) -> None:
        # That the reader has gone is met again with the next report, outside of any transfer.
        with suppress(OSError):
            show_json(events.of_step(event))

    def done(self, report: DownloadReport, tally: Tally) -> None:
        show_json(events.of_report(report))
        _complain_of(report)


Teller = Silence | Board


def teller_of(*, json: bool, quiet: bool) -> Teller:
    """Who tells, as the user wants it and the terminal allows."""
    if json:
        return Feed()
    if quiet:
        return Silence()
    return Board() if sys.stderr.isatty() else Lines()


def _complain_of(report: DownloadReport) -> None:
    for error in errors_of(report):
        complain(str(error))
