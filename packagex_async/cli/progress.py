"""A bar on stderr for each artifact under way."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from packagex_async import Artifact, ProgressEvent


class Bars:
    """The bars of one export's artifacts, fed with progress events; they are gone at the end of the block.

    Args:
        quiet: Show nothing; nothing is shown either where stderr is no terminal.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._tasks: dict[Artifact, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(stderr=True),
            disable=quiet or not sys.stderr.isatty(),
            transient=True,
            # What is written to stdout stays on stdout.
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        # Some versions of rich end even disabled bars with an empty line, if they were started.
        if not self._progress.disable:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._progress.disable:
            self._progress.stop()

    def __call__(self, event: ProgressEvent) -> None:
        """Move the bar of the event's artifact."""
        if event.artifact not in self._tasks:
            label = f"{event.export_id} {event.artifact}"
            self._tasks[event.artifact] = self._progress.add_task(label, total=None, note="")
        self._progress.update(
            self._tasks[event.artifact], completed=event.received, total=event.total, note=_note(event)
        )


def _note(event: ProgressEvent) -> str:
    if event.delay is not None:
        return f"again in {event.delay:.1f} s"
    return "" if event.attempt == 1 else f"try {event.attempt}"
