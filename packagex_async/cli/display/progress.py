"""What moves on stderr while something is under way, and is gone at its end."""

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
from packagex_async.cli.display.tables import complain, plain
from packagex_async.cli.stdio import StandardError

_LABEL_LIMIT = 200
"""Characters of the longest label of a row."""

_MAX_TOTAL = 10**18
"""The largest total that is shown. A server may send any number, and rich divides by it as a float."""


class Stage:
    """Rows on a terminal, for as long as its block lasts.

    Args:
        columns: What each row shows.
        quiet: Show nothing; nothing is shown either where stderr is no terminal.
    """

    def __init__(self, *columns: ProgressColumn, quiet: bool) -> None:
        self._progress = Progress(
            *columns,
            console=Console(file=cast("IO[str]", StandardError())),
            disable=quiet or not sys.stderr.isatty(),
            transient=True,
            # What is written to stdout stays on stdout.
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @property
    def live(self) -> bool:
        """Whether anything is shown."""
        return not self._progress.disable

    def _add(self, label: str, **fields: Any) -> TaskID:
        return self._progress.add_task(plain(label, limit=_LABEL_LIMIT), total=None, **fields)

    def _update(self, row: TaskID, **fields: Any) -> None:
        if "description" in fields:
            fields["description"] = plain(fields["description"], limit=_LABEL_LIMIT)
        if (fields.get("total") or 0) > _MAX_TOTAL:
            fields["total"] = None
        self._progress.update(row, **fields)

    def __enter__(self) -> Self:
        # Some versions of rich end even disabled rows with an empty line, if they were started.
        if self.live:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.live:
            self._progress.stop()


class Bars(Stage):
    """A bar for each artifact of one export, fed with progress events."""

    def __init__(self, *, quiet: bool) -> None:
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            quiet=quiet,
        )
        self._tasks: dict[Artifact, TaskID] = {}

    def __call__(self, event: ProgressEvent) -> None:
        """Move the bar of the event's artifact."""
        if event.artifact not in self._tasks:
            label = f"{event.export_id} {event.artifact}"
            self._tasks[event.artifact] = self._add(label, note="")
        self._update(
            self._tasks[event.artifact], completed=event.received, total=event.total, note=note(event)
        )


class Meter(Stage):
    """One bar for a number of bytes, with speed and time left."""

    def __init__(self, label: str, *, quiet: bool) -> None:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
        )
        super().__init__(*columns, TimeRemainingColumn(), quiet=quiet)
        self._task = self._add(label)

    def __call__(self, done: int, total: int) -> None:
        """Move the bar to `done` of `total` bytes."""
        self._update(self._task, completed=done, total=total)


class Waiting(Stage):
    """A line that tells what is waited for, and for how long already; elsewhere a line for each change."""

    def __init__(self, label: str, *, quiet: bool) -> None:
        columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
        super().__init__(*columns, quiet=quiet)
        self._quiet = quiet
        self._task = self._add(label)

    def tell(self, text: str) -> None:
        """Tell of a change."""
        self._update(self._task, description=text)
        if not (self.live or self._quiet):
            complain(text)


def note(event: ProgressEvent) -> str:
    """What there is to say of an artifact that does not come at the first try."""
    if event.delay is not None:
        return f"again in {event.delay:.1f} s"
    return "" if event.attempt == 1 else f"try {event.attempt}"
