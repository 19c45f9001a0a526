"""The live display of `sync`."""

from __future__ import annotations

from packagex_async import (
    Artifact,
    DecodeError,
    DownloadReport,
    ExportFailedError,
    Poll,
    ProgressEvent,
    ProgressKind,
)
from packagex_async.cli.display.dashboard import Dashboard, wait_message
from packagex_async.cli.display.notices import Notice
from packagex_async.cli.display.totals import Totals
from tests.cli.support import ManualClock


def labels(dashboard: Dashboard) -> list[str]:
    """Return the labels of all rows."""
    return [row.label + ("" if row.amount else row.suffix) for row in dashboard.rows()]


def test_counts_bytes_and_artifacts_are_rows() -> None:
    """Files are counted when they are complete, and exports when they have a report."""
    totals = Totals()
    dashboard = Dashboard(totals, ManualClock())
    assert labels(dashboard) == ["0 exports, 0 files, 0 kept, 0 failed", "total"]
    dashboard.set_total(1200)
    for kind, received in ((ProgressKind.STARTED, 0), (ProgressKind.ADVANCED, 5)):
        dashboard.on_progress(
            ProgressEvent(kind=kind, export_id="exp_1", artifact=Artifact.CSV, received=received, total=10)
        )
    assert labels(dashboard) == ["0/1,200 exports, 0 files, 0 kept, 0 failed", "total", "exp_1"]
    report = DownloadReport(export_id="exp_2", error=ExportFailedError("no", export_id="exp_2"))
    totals.add(report)
    dashboard.on_report(report)
    assert labels(dashboard)[0] == "1/1,200 exports, 0 files, 0 kept, 0 failed, 1 failed on the platform"
    assert dashboard.rows()[1].amount == "5 B/~5.9 KiB"


def test_exports_have_no_speed() -> None:
    """Kept exports are counted, which says nothing about the others."""
    clock = ManualClock()
    totals = Totals()
    dashboard = Dashboard(totals, clock)
    dashboard.set_total(100)
    for number in range(50):
        export_id = f"exp_{number}"
        dashboard.on_progress(
            ProgressEvent(
                kind=ProgressKind.KEPT, export_id=export_id, artifact=Artifact.CSV, received=10, total=10
            )
        )
        dashboard.on_report(DownloadReport(export_id=export_id))
        clock.now += 0.1
    assert [row.details for row in dashboard.rows()] == [(), ()]


def test_number_of_pending_exports_is_a_row() -> None:
    """The row disappears when no export is waited for."""
    dashboard = Dashboard(Totals(), ManualClock())
    dashboard.on_wait(("exp_1", "exp_2"))
    dashboard.on_wait(("exp_2",))
    assert labels(dashboard)[-1] == "waiting for 1 export"
    dashboard.on_wait(())
    assert labels(dashboard)[-1] == "total"


def test_last_poll_is_a_row() -> None:
    """A failed poll is shown as such."""
    dashboard = Dashboard(Totals(), ManualClock())
    dashboard.on_poll(Poll(found=1, retried=0, pending=2))
    assert labels(dashboard)[-1] == "polled: 1 new export, 0 tried again, 2 in progress, 0 failing"
    dashboard.on_poll(Poll(found=0, retried=3, pending=2, error=DecodeError("not JSON")))
    assert labels(dashboard)[-1] == "poll failed: 0 new exports, 3 tried again, 2 in progress, 0 failing"


def test_notice_is_a_row() -> None:
    """It counts down to the next attempt. A notice without a delay is shown for some seconds."""
    clock = ManualClock()
    dashboard = Dashboard(Totals(), clock)
    dashboard.on_notice(Notice("request_retried", "GET /v1/exports: answered 503", 12.0))
    assert labels(dashboard)[-1] == "GET /v1/exports: answered 503; next attempt in 12 s"
    clock.now += 10
    assert labels(dashboard)[-1] == "GET /v1/exports: answered 503; next attempt in 2.0 s"
    clock.now += 3
    assert labels(dashboard)[-1] == "total"
    dashboard.on_notice(Notice("urls_renewed", "renewed", None))
    assert labels(dashboard)[-1] == "renewed"
    clock.now += 60
    assert labels(dashboard)[-1] == "total"


def test_wait_message() -> None:
    """It has a singular and a plural."""
    assert [wait_message(1), wait_message(2)] == ["waiting for 1 export", "waiting for 2 exports"]


def test_dry_run_shows_exports_only() -> None:
    """No bytes arrive in a dry run. Waits are shown."""
    totals = Totals()
    dashboard = Dashboard(totals, ManualClock(), has_transfers=False)
    assert labels(dashboard) == ["0 exports checked"]
    dashboard.set_total(3)
    totals.add(DownloadReport(export_id="exp_1"))
    dashboard.on_wait(("exp_2",))
    assert labels(dashboard) == ["1/3 exports checked", "waiting for 1 export"]
