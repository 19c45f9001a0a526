"""Progress on stderr: bars and indicators that disappear when the operation ends."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import IO, Any, Self, cast

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from packagex_async import Artifact, ProgressEvent
from packagex_async.cli.display.tables import print_error, printable
from packagex_async.cli.stdio import StandardError

_MAX_LABEL_LENGTH = 200

_MAX_TOTAL = 10**18
"""The largest total that is shown. A server may send any number, and rich divides by it as a float."""


class LiveDisplay:
    """Rows on the terminal that are updated in place while the `with` block runs.

    Args:
        columns: The columns of each row.
        quiet: Show nothing. Without a terminal on stderr, nothing is shown either.
    """

    def __init__(self, *columns: ProgressColumn, quiet: bool) -> None:
        self._progress = Progress(
            *columns,
            console=Console(file=cast("IO[str]", StandardError())),
            disable=quiet or not sys.stderr.isatty(),
            transient=True,
            # The results on stdout must not be redirected to stderr.
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @property
    def is_live(self) -> bool:
        """Whether anything is shown."""
        return not self._progress.disable

    def _add_row(self, label: str, **fields: Any) -> TaskID:
        return self._progress.add_task(printable(label, max_length=_MAX_LABEL_LENGTH), total=None, **fields)

    def _update_row(self, row: TaskID, **fields: Any) -> None:
        if "description" in fields:
            fields["description"] = printable(fields["description"], max_length=_MAX_LABEL_LENGTH)
        if (fields.get("total") or 0) > _MAX_TOTAL:
            fields["total"] = None
        self._progress.update(row, **fields)

    def __enter__(self) -> Self:
        # If it is started, some versions of rich print an empty line even if it is disabled.
        if self.is_live:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.is_live:
            self._progress.stop()


class ArtifactBars(LiveDisplay):
    """A progress bar for each artifact of one export. Call it with each progress event."""

    def __init__(self, *, quiet: bool) -> None:
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            quiet=quiet,
        )
        self._rows: dict[Artifact, TaskID] = {}

    def __call__(self, event: ProgressEvent) -> None:
        """Update the bar of the artifact."""
        if event.artifact not in self._rows:
            label = f"{event.export_id} {event.artifact}"
            self._rows[event.artifact] = self._add_row(label, note="")
        row = self._rows[event.artifact]
        self._update_row(row, completed=event.received, total=event.total, note=retry_note(event))


class ByteBar(LiveDisplay):
    """One progress bar in bytes, with speed and remaining time. Call it with the progress."""

    def __init__(self, label: str, *, quiet: bool) -> None:
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            quiet=quiet,
        )
        self._row = self._add_row(label)

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` bytes are processed."""
        self._update_row(self._row, completed=done, total=total)


class WaitIndicator(LiveDisplay):
    """A spinner with the elapsed time. Without a terminal, each update is a line on stderr instead."""

    def __init__(self, label: str, *, quiet: bool) -> None:
        super().__init__(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            quiet=quiet,
        )
        self._quiet = quiet
        self._row = self._add_row(label)

    def update(self, text: str) -> None:
        """Show `text`."""
        self._update_row(self._row, description=text)
        if not (self.is_live or self._quiet):
            print_error(text)


def retry_note(event: ProgressEvent) -> str:
    """Return the number of the attempt or the seconds until the next one; empty at the first attempt."""
    if event.delay is not None:
        return f"retry in {event.delay:.1f} s"
    return "" if event.attempt == 1 else f"attempt {event.attempt}"
