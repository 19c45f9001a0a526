"""The live display of `sync`."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from packagex_async import Artifact, DownloadReport, ProgressEvent, ProgressKind, StorageError
from packagex_async.cli.display.dashboard import MAX_ARTIFACT_ROWS, Dashboard, wait_message
from packagex_async.cli.display.totals import Totals
from packagex_async.report import ByArtifact
from tests.cli.support import Terminal


def event(kind: ProgressKind, number: int, **fields: Any) -> ProgressEvent:
    """Return an event of the CSV file of the export with this number."""
    return ProgressEvent(kind=kind, export_id=f"exp_{number}", artifact=Artifact.CSV, **fields)


def descriptions(dashboard: Dashboard) -> list[str]:
    """Return the labels of all rows."""
    return [task.description for task in dashboard._progress.tasks]


def test_number_of_rows_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A further artifact gets the row of a finished one. Each byte counts once, also after a retry."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("COLUMNS", "120")
    totals = Totals()

    def screen() -> str:
        terminal.seek(0)
        terminal.truncate()
        dashboard._progress.refresh()
        return terminal.getvalue()

    with Dashboard() as dashboard:
        dashboard.set_total(40)
        for number in range(MAX_ARTIFACT_ROWS + 1):
            dashboard.on_progress(event(ProgressKind.STARTED, number, received=500, total=4000))
        assert f"exp_{MAX_ARTIFACT_ROWS - 1} csv" in screen()
        assert f"exp_{MAX_ARTIFACT_ROWS} csv" not in screen()
        assert "0 bytes" in screen()
        dashboard.on_progress(event(ProgressKind.ADVANCED, MAX_ARTIFACT_ROWS, received=1000, total=4000))
        dashboard.on_progress(event(ProgressKind.RETRYING, 0, received=0, total=4000, delay=2.5))
        assert "retry in 2.5 s" in screen()
        dashboard.on_progress(event(ProgressKind.STARTED, 0, total=4000, attempt=2))
        assert "attempt 2" in screen()
        dashboard.on_progress(event(ProgressKind.FINISHED, 0, received=4000, total=4000))
        dashboard.on_progress(event(ProgressKind.KEPT, 90, received=70, total=70))
        dashboard.on_progress(event(ProgressKind.FAILED, 1, received=500))
        dashboard.on_progress(event(ProgressKind.ADVANCED, MAX_ARTIFACT_ROWS, received=2000, total=4000))
        assert "exp_0 csv" not in screen()
        assert "exp_1 csv" not in screen()
        assert f"exp_{MAX_ARTIFACT_ROWS} csv" in screen()
        assert "2.0 kB/4.0 kB" in screen()
        error = StorageError("no", export_id="exp_1", artifact=Artifact.CSV)
        report = DownloadReport(export_id="exp_1", failures=ByArtifact([error]))
        totals.add(report)
        dashboard.on_report(report, totals)
        assert "1/40" in screen()
        assert "0 files, 0 kept, 1 failed" in screen()
        assert "5.5 kB" in screen()


def test_number_of_pending_exports_is_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    """The row disappears when no export is waited for."""
    with Dashboard() as dashboard:
        dashboard.on_wait(("exp_1", "exp_2"))
        dashboard.on_wait(("exp_2",))
        assert descriptions(dashboard)[-1] == "waiting for 1 export"
        dashboard.on_wait(())
        assert descriptions(dashboard) == ["exports", "files"]


def test_wait_message() -> None:
    """It has a singular and a plural."""
    assert [wait_message(1), wait_message(2)] == ["waiting for 1 export", "waiting for 2 exports"]
