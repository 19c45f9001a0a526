"""Many downloads at a glance: what is done in all, and the few files that are under way."""

from __future__ import annotations

from collections.abc import Callable

from rich import filesize
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from packagex_async import Artifact, DownloadReport, ProgressEvent, ProgressKind
from packagex_async.cli.display.progress import Stage, note
from packagex_async.cli.display.tally import Tally

MOST_SHOWN = 8
"""Files that have a row of their own."""

_ENDS = (ProgressKind.KEPT, ProgressKind.FINISHED, ProgressKind.FAILED)


class Board(Stage):
    """A row for the exports, one for their files and bytes, and one for each of the first files under way."""

    def __init__(self) -> None:
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            _Amount(),
            _Speed(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            quiet=False,
        )
        self._exports = self._row("exports", unit=_count)
        self._bytes = self._row("files", unit=_size)
        self._waiting: TaskID | None = None
        self._rows: dict[tuple[str, Artifact], TaskID] = {}
        self._received: dict[tuple[str, Artifact], int] = {}

    def expect(self, exports: int | None) -> None:
        """Take note of how many exports there are, if that is known."""
        self._update(self._exports, total=exports)

    def waits(self, export_ids: tuple[str, ...]) -> None:
        """Show how many exports are waited for, as long as there are any."""
        if self._waiting is not None:
            self._progress.remove_task(self._waiting)
        self._waiting = self._row(waiting_for(len(export_ids)), unit=_count) if export_ids else None

    def step(self, event: ProgressEvent) -> None:
        """Move the row of the event's artifact, and count its bytes."""
        artifact = event.export_id, event.artifact
        if event.kind not in (ProgressKind.STARTED, ProgressKind.KEPT):
            fresh = event.received - self._received.get(artifact, 0)
            self._progress.advance(self._bytes, max(fresh, 0))
        if event.kind in _ENDS:
            self._received.pop(artifact, None)
            self._remove(artifact)
        else:
            self._received[artifact] = event.received
            self._move(artifact, event)

    def done(self, report: DownloadReport, tally: Tally) -> None:
        """Show what is done so far; of the report itself, its steps have told."""
        self._update(self._exports, completed=tally.exports)
        told = f"{tally.files} files, {tally.kept} kept, {tally.failed} failed"
        self._update(self._bytes, description=told)

    def _move(self, artifact: tuple[str, Artifact], event: ProgressEvent) -> None:
        if artifact not in self._rows and len(self._rows) < MOST_SHOWN:
            self._rows[artifact] = self._row(" ".join(artifact), unit=_size)
        if (row := self._rows.get(artifact)) is not None:
            self._update(row, completed=event.received, total=event.total, note=note(event))

    def _remove(self, artifact: tuple[str, Artifact]) -> None:
        if (row := self._rows.pop(artifact, None)) is not None:
            self._progress.remove_task(row)

    def _row(self, label: str, *, unit: Callable[[float], str]) -> TaskID:
        return self._add(label, unit=unit, note="")


def waiting_for(exports: int) -> str:
    """Return the line that says how many exports are waited for."""
    return f"waiting for {exports} {'export' if exports == 1 else 'exports'}"


class _Amount(ProgressColumn):
    """How much there is, of how much if that is known."""

    def render(self, task: Task) -> Text:
        of = "" if task.total is None else f"/{task.fields['unit'](task.total)}"
        return Text(f"{task.fields['unit'](task.completed)}{of}", style="progress.download")


class _Speed(ProgressColumn):
    """How much comes in a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{task.fields['unit'](speed)}/s" if speed else "", style="progress.data.speed")


def _count(number: float) -> str:
    return f"{number:,.0f}"


def _size(number: float) -> str:
    return filesize.decimal(int(number))
