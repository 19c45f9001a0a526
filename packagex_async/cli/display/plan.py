"""The files that a dry run would download, and the old files that `sync` removes."""

from __future__ import annotations

import sys

from packagex_async import DownloadReport, PlannedFile, PrunedFile
from packagex_async.cli.display.tables import print_error, print_json, print_line
from packagex_async.cli.display.totals import count
from packagex_async.cli.messages.hints import error_message
from packagex_async.cli.output.layout import Column
from packagex_async.cli.output.record_printer import RecordPrinter
from packagex_async.cli.output.sizes import format_bytes, format_size
from packagex_async.cli.settings.destination import location_of

_OUTCOMES = {
    "removed": "removed",
    "planned": "would be removed",
    "changed": "not removed, because it was changed",
    "failed": "not removed",
}


class PlanPrinter:
    """Prints the planned files of a dry run.

    Args:
        json: Whether to print one JSON object per file.
        exact_sizes: Whether to show sizes in bytes.
    """

    def __init__(self, *, json: bool, exact_sizes: bool = False) -> None:
        self._json = json
        self._files: list[PlannedFile] = []
        self._format_sum = format_bytes if exact_sizes else format_size
        format_file_size = str if exact_sizes else format_size
        columns = [
            Column("export_id"),
            Column("artifact"),
            Column("reason", priority=1, required=True, min_width=7),
            Column("size", format_file_size, priority=2, right=True),
            Column("path", priority=0, required=True, min_width=16, keep_end=True),
        ]
        self._printer = RecordPrinter("planned", columns, json=json)

    def add(self, report: DownloadReport) -> None:
        """Add the planned files of an export."""
        for file in report.planned:
            self._files.append(file)
            self._printer.add(
                {
                    "export_id": report.export_id,
                    "artifact": file.artifact,
                    "reason": file.reason,
                    "size": file.size,
                    "path": location_of(file),
                }
            )

    def print_totals(self) -> None:
        """Print the table, and the number of files and bytes."""
        self._printer.finish()
        sizes = [file.size for file in self._files if file.size is not None]
        unknown = len(self._files) - len(sizes)
        if self._json:
            totals = {"files": len(self._files), "bytes": sum(sizes), "unknown_sizes": unknown}
            print_json({"event": "plan", **totals})
            return
        rest = f", and {unknown} of unknown size" if unknown else ""
        totals_line = (
            f"{count(len(self._files), 'file')} to download, {self._format_sum(sum(sizes))}{rest}. "
            "Dry run: nothing was written."
        )
        if sys.stdout.isatty():
            print_line("")
            print_line(totals_line)
        else:
            # Programs read the tab-separated text.
            print_error(totals_line)


class PrunePrinter:
    """Prints the old files that were removed. Call it with each file.

    Args:
        json: Whether to print one JSON object per file to stdout, instead of a line to stderr.
        quiet: Whether to print only the files that were not removed.
    """

    def __init__(self, *, json: bool, quiet: bool) -> None:
        self._json = json
        self._quiet = quiet

    def __call__(self, file: PrunedFile) -> None:
        """Print a file."""
        if self._json:
            print_json(pruned_record(file))
        elif not self._quiet or file.outcome in ("changed", "failed"):
            reason = f": {error_message(file.error)}" if file.error is not None else ""
            print_error(file.path, f": {_OUTCOMES[file.outcome]}{reason}")


def pruned_record(file: PrunedFile) -> dict[str, object]:
    """Return the JSON record of an old file."""
    return {
        "event": "pruned",
        "export_id": file.export_id,
        "artifact": file.artifact,
        "path": file.path,
        "size": file.size,
        "outcome": file.outcome,
        "error": None if file.error is None else error_message(file.error),
    }
