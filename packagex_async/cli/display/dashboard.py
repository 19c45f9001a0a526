"""The live display of `sync`: totals, and the artifacts that are being downloaded."""

from __future__ import annotations

from collections.abc import Callable

from rich import filesize
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from packagex_async import Artifact, DownloadReport, ProgressEvent, ProgressKind
from packagex_async.cli.display.progress import LiveDisplay, retry_note
from packagex_async.cli.display.totals import Totals

MAX_ARTIFACT_ROWS = 8
"""Artifacts that are shown at the same time."""

_FINAL_EVENTS = (ProgressKind.KEPT, ProgressKind.FINISHED, ProgressKind.FAILED)


class Dashboard(LiveDisplay):
    """A row for all exports, a row for all files and bytes, and rows for artifacts in progress."""

    def __init__(self) -> None:
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            _AmountColumn(),
            _SpeedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            quiet=False,
        )
        self._exports_row = self._add_unit_row("exports", unit=_format_count)
        self._files_row = self._add_unit_row("files", unit=_format_size)
        self._wait_row: TaskID | None = None
        self._artifact_rows: dict[tuple[str, Artifact], TaskID] = {}
        self._received: dict[tuple[str, Artifact], int] = {}

    def set_total(self, exports: int | None) -> None:
        """Show the number of exports, if it is known."""
        self._update_row(self._exports_row, total=exports)

    def on_wait(self, export_ids: tuple[str, ...]) -> None:
        """Show the number of exports that are waited for, if there are any."""
        if self._wait_row is not None:
            self._progress.remove_task(self._wait_row)
        self._wait_row = None
        if export_ids:
            self._wait_row = self._add_unit_row(wait_message(len(export_ids)), unit=_format_count)

    def on_progress(self, event: ProgressEvent) -> None:
        """Update the row of the artifact, and add the bytes to the total."""
        artifact = event.export_id, event.artifact
        if event.kind not in (ProgressKind.STARTED, ProgressKind.KEPT):
            new_bytes = event.received - self._received.get(artifact, 0)
            self._progress.advance(self._files_row, max(new_bytes, 0))
        if event.kind in _FINAL_EVENTS:
            self._received.pop(artifact, None)
            self._remove_artifact_row(artifact)
        else:
            self._received[artifact] = event.received
            self._update_artifact_row(artifact, event)

    def on_report(self, report: DownloadReport, totals: Totals) -> None:
        """Show the totals. The progress events have already shown the report itself."""
        self._update_row(self._exports_row, completed=totals.exports)
        description = f"{totals.files} files, {totals.kept} kept, {totals.failed} failed"
        self._update_row(self._files_row, description=description)

    def _update_artifact_row(self, artifact: tuple[str, Artifact], event: ProgressEvent) -> None:
        if artifact not in self._artifact_rows and len(self._artifact_rows) < MAX_ARTIFACT_ROWS:
            self._artifact_rows[artifact] = self._add_unit_row(" ".join(artifact), unit=_format_size)
        if (row := self._artifact_rows.get(artifact)) is not None:
            self._update_row(row, completed=event.received, total=event.total, note=retry_note(event))

    def _remove_artifact_row(self, artifact: tuple[str, Artifact]) -> None:
        if (row := self._artifact_rows.pop(artifact, None)) is not None:
            self._progress.remove_task(row)

    def _add_unit_row(self, label: str, *, unit: Callable[[float], str]) -> TaskID:
        return self._add_row(label, unit=unit, note="")


def wait_message(exports: int) -> str:
    """Return the message for a number of exports that are waited for."""
    return f"waiting for {exports} {'export' if exports == 1 else 'exports'}"


class _AmountColumn(ProgressColumn):
    """The completed amount and, if known, the total."""

    def render(self, task: Task) -> Text:
        total = "" if task.total is None else f"/{task.fields['unit'](task.total)}"
        return Text(f"{task.fields['unit'](task.completed)}{total}", style="progress.download")


class _SpeedColumn(ProgressColumn):
    """The amount per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{task.fields['unit'](speed)}/s" if speed else "", style="progress.data.speed")


def _format_count(number: float) -> str:
    return f"{number:,.0f}"


def _format_size(number: float) -> str:
    return filesize.decimal(int(number))
