"""The summary at the end of `sync`: a table of totals and failures, or one line of JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import attrs

from packagex_async.cli.display.tables import print_error, print_json, print_line, print_table
from packagex_async.cli.display.totals import RowDifference, Totals, count
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.output.layout import Column
from packagex_async.cli.output.sizes import format_size

_TOTALS_COLUMNS = (
    Column("exports", priority=0, right=True),
    Column("files", priority=1, right=True),
    Column("bytes", priority=2, right=True),
    Column("kept", priority=6, right=True),
    Column("not offered", priority=8, right=True),
    Column("failed", priority=3, right=True),
    Column("failed exports", priority=4, right=True),
    Column("time", priority=7, right=True),
    Column("rate", priority=9, right=True),
)
_ROWS_COLUMN = Column("rows", priority=5, right=True)
_FAILURE_COLUMNS = (
    Column("export_id", priority=0, required=True, min_width=12),
    Column("artifact", priority=1),
    Column("error", priority=2, min_width=12),
    # On a terminal, the advice is below the table.
    Column("advice"),
)
_DIFFERENCE_HEADINGS = tuple(field.name for field in attrs.fields(RowDifference))


@attrs.frozen(kw_only=True)
class SummaryPrinter:
    """Prints the summary of a run.

    Attributes:
        totals: The totals of the run.
        directory: The directory of the files.
        json: Whether to print JSON.
        resume: Whether another run resumes partial files of this one.
    """

    totals: Totals
    directory: Path | str
    json: bool
    resume: bool

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
            "elapsed": round(elapsed, 3),
        }

    def _print_tables(self, elapsed: float) -> None:
        totals = self.totals
        size, time = format_size(totals.size), f"{elapsed:.1f} s"
        rate = f"{format_size(totals.size / elapsed)}/s"
        counts = (
            totals.exports,
            totals.files,
            size,
            totals.kept,
            totals.not_offered,
            totals.failed,
            totals.failed_exports,
            time,
            rate,
        )
        has_rows = totals.rows is not None
        print_table(
            (*_TOTALS_COLUMNS, *([_ROWS_COLUMN] if has_rows else [])),
            [(*counts, *([totals.rows] if has_rows else []))],
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

    def _print_differences(self) -> None:
        totals = self.totals
        if totals.differences:
            print_line("")
            print_line("Files whose number of rows is not the count_total of their export:")
            print_table(_DIFFERENCE_HEADINGS, map(attrs.astuple, totals.differences))
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
