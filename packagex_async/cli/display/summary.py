"""How many downloads ended: one table of counts, the failures with what to do, or one line of JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import attrs
from rich import filesize

from packagex_async.cli.display.tables import complain, show, show_json, show_table
from packagex_async.cli.display.tally import Failure, Tally
from packagex_async.cli.exit_codes import ExitCode

_COUNTS = ("exports", "files", "bytes", "kept", "missing", "failed", "time", "rate")
_FAILURES = tuple(field.name for field in attrs.fields(Failure))


@attrs.frozen(kw_only=True)
class Closing:
    """Tells the end of a run.

    Attributes:
        tally: What there is to tell.
        directory: The folder.
        json: Whether to tell it in JSON.
        resume: Whether another run goes on where this one has ended.
    """

    tally: Tally
    directory: Path
    json: bool
    resume: bool

    def tell(
        self, how: Literal["complete", "stopped", "interrupted"], code: ExitCode, error: str | None = None
    ) -> None:
        """Tell how it ended, with which exit code, and for what reason."""
        seconds = self.tally.elapsed
        if self.json:
            show_json(self._record(how, code, seconds) | {"error": error})
        elif self.tally.exports or not error:
            self._tabulate(seconds)
        if error:
            complain(error)
        if how != "complete":
            complain(*self._way_on())

    def _record(self, how: str, code: ExitCode, seconds: float) -> dict[str, object]:
        names = ("exports", "files", "kept", "missing", "failed")
        return {
            "event": "summary",
            "ended": how,
            "exit_code": code,
            "directory": self.directory,
            **{name: getattr(self.tally, name) for name in names},
            "bytes": self.tally.size,
            "elapsed": round(seconds, 3),
        }

    def _tabulate(self, seconds: float) -> None:
        tally = self.tally
        rate = f"{filesize.decimal(int(tally.size / seconds))}/s"
        size, time = filesize.decimal(tally.size), f"{seconds:.1f} s"
        counts = tally.exports, tally.files, size, tally.kept, tally.missing, tally.failed, time, rate
        show_table(_COUNTS, [counts])
        if tally.listed:
            show("")
            show_table(_FAILURES, map(attrs.astuple, tally.listed), foldable=_FAILURES[2:])
        if more := tally.failed - len(tally.listed):
            show(f"and {more} more")

    def _way_on(self) -> tuple[object, ...]:
        there = self.tally.files + self.tally.kept
        next_run = "; run it again to go on" if self.resume else ""
        counts = f"{there} files of {self.tally.exports} exports are in "
        return counts, self.directory, f", whole, and stay{next_run}"
