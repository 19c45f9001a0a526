"""The summary at the end of `sync`: a table of totals and failures, or one line of JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

import attrs

from packagex_async.cli.display.tables import print_error, print_json, print_line, print_table
from packagex_async.cli.display.totals import Totals, count
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.output.layout import Column
from packagex_async.cli.output.sizes import format_bytes, format_size

_TOTALS_PRIORITIES = {
    "exports": 0, "files": 1, "bytes": 2, "kept": 5, "not offered": 10, "failed": 3, "failed exports": 4,
    "time": 8, "rate": 9, "rows": 6, "removed": 7,
}  # fmt: skip
"""The columns of the totals. The least important ones are dropped on narrow terminals."""

_EXPORT_ID = Column("export_id", priority=0, required=True, cut_last=True, min_width=12)
_ARTIFACT = Column("artifact", priority=1, required=True, min_width=8)
_FAILURE_COLUMNS = (
    _EXPORT_ID,
    Column("artifact", priority=1),
    Column("error", priority=2, min_width=12),
    # On a terminal, the advice is below the table.
    Column("advice"),
)
_DIFFERENCE_COLUMNS = (
    _EXPORT_ID,
    _ARTIFACT,
    Column("rows", priority=2, required=True, right=True),
    Column("count_total", priority=3, required=True, right=True),
)


@attrs.frozen(kw_only=True)
class SummaryPrinter:
    """Prints the summary of a run.

    Attributes:
        totals: The totals of the run.
        directory: The directory of the files.
        json: Whether to print JSON.
        resume: Whether another run resumes partial files of this one.
        exact_sizes: Whether to show sizes in bytes.
        has_removed: Whether to show the number of files that were removed.
    """

    totals: Totals
    directory: Path | str
    json: bool
    resume: bool
    exact_sizes: bool = False
    has_removed: bool = False

    def print(
        self, ended: Literal["complete", "stopped", "interrupted"], code: ExitCode, error: str | None = None
    ) -> None:
        """Print the summary.

        Args:
            ended: The way in which the run ended.
            code: The exit code.
            error: The error that stopped the run.
        """
        elapsed = self.totals.elapsed
        if self.json:
            print_json(self._to_record(ended, code, elapsed) | {"error": error})
        elif self.totals.exports or self.totals.files or not error:
            self._print_tables(elapsed)
            self._print_failed_exports()
        if error:
            print_error(error)
        if ended != "complete":
            print_error(*self._next_step())

    def _to_record(self, ended: str, code: ExitCode, elapsed: float) -> dict[str, object]:
        names = ("exports", "files", "kept", "not_offered", "failed", "failed_exports")
        return {
            "event": "summary",
            "ended": ended,
            "exit_code": code,
            "directory": self.directory,
            **{name: getattr(self.totals, name) for name in names},
            "bytes": self.totals.size,
            "rows": self.totals.rows,
            "row_differences": self.totals.differing,
            "removed": self.totals.removed,
            "removed_bytes": self.totals.removed_size,
            "elapsed": round(elapsed, 3),
        }

    def _print_tables(self, elapsed: float) -> None:
        totals = self.totals
        cells = self._totals_cells(elapsed)
        print_table(
            [Column(name, priority=_TOTALS_PRIORITIES[name], right=True) for name in cells],
            [list(cells.values())],
        )
        if totals.failures:
            print_line("")
            print_table(_FAILURE_COLUMNS, map(attrs.astuple, totals.failures))
        if more := totals.failed + totals.failed_exports - len(totals.failures):
            print_line(f"and {more} more")
        if sys.stdout.isatty():
            for advice in dict.fromkeys(failure.advice for failure in totals.failures):
                print_line(f"hint: {advice}")
        self._print_differences()

    def _totals_cells(self, elapsed: float) -> dict[str, Any]:
        """Return the cells of the table of totals, by the names of their columns."""
        totals = self.totals
        format_number = format_bytes if self.exact_sizes else format_size
        cells: dict[str, Any] = {
            "exports": totals.exports,
            "files": totals.files,
            "bytes": totals.size if self.exact_sizes else format_size(totals.size),
            "kept": totals.kept,
            "not offered": totals.not_offered,
            "failed": totals.failed,
            "failed exports": totals.failed_exports,
            "time": f"{elapsed:.1f} s",
            "rate": f"{format_number(totals.size / elapsed)}/s",
        }
        if totals.rows is not None:
            cells["rows"] = totals.rows
        if self.has_removed:
            cells["removed"] = totals.removed
        return cells

    def _print_differences(self) -> None:
        totals = self.totals
        if totals.differences:
            print_line("")
            print_line("Files with another number of rows than count_total:")
            print_table(_DIFFERENCE_COLUMNS, map(attrs.astuple, totals.differences))
        if more := totals.differing - len(totals.differences):
            print_line(f"and {more} more")

    def _print_failed_exports(self) -> None:
        if number := self.totals.failed_exports:
            print_line("")
            print_line(f"{count(number, 'export')} failed on the platform.")

    def _next_step(self) -> tuple[object, ...]:
        files = self.totals.files + self.totals.kept
        next_step = " Run again to resume." if self.resume else ""
        return (
            f"{count(files, 'file')} {'is' if files == 1 else 'are'} complete in ",
            self.directory,
            f", {count(self.totals.exports, 'export')} finished.{next_step}",
        )
