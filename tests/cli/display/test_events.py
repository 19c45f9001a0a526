"""The JSON records of `sync`."""

from __future__ import annotations

import json
from pathlib import Path

from packagex_async import (
    Artifact,
    DownloadReport,
    ExportFailedError,
    ProgressEvent,
    ProgressKind,
    StorageError,
)
from packagex_async.cli.display.events import notice_record, progress_record, report_record
from packagex_async.cli.display.notices import Notice
from packagex_async.testing import Emulator, Status
from tests.cli.support import Cli, add_small_export


def test_sync_prints_progress_reports_and_the_summary(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """Errors are strings. They are printed to stderr too."""
    good, bad = add_small_export(empty), add_small_export(empty, status="failed")
    empty.inject(Status(403, on="storage", artifact="csv"), times=None)
    result = cli("sync", tmp_path, "--json", "--artifacts", "json,csv,csv_error")
    *records, summary = result.records
    reports = {record["export_id"]: record for record in records if record["event"] == "report"}
    progress = [record for record in records if record["event"] != "report"]
    assert {(record["event"], record["artifact"]) for record in progress} >= {
        ("started", "json"),
        ("finished", "json"),
        ("failed", "csv"),
    }
    (failed,) = [record for record in progress if record["event"] == "failed"]
    assert "403" in failed["error"]
    (file,) = reports[good.id].pop("files")
    assert (file["artifact"], file["size"], file["kept"]) == ("json", 6, False)
    assert file["path"] == str(tmp_path / f"{good.id}.json")
    assert reports[good.id] == {
        "event": "report",
        "export_id": good.id,
        "ok": False,
        "count_total": good.count_total,
        "not_offered": ["csv_error"],
        "failures": [{"artifact": "csv", "error": failed["error"]}],
        "error": None,
    }
    assert f"export {bad.id} has the status failed" in reports[bad.id]["error"]
    assert summary["event"] == "summary"
    assert len(result.messages) == 2


def test_progress_record() -> None:
    """The kind of the event is the field `event`."""
    error = StorageError("refused", export_id="exp_1", artifact=Artifact.CSV)
    event = ProgressEvent(
        kind=ProgressKind.RETRYING, export_id="exp_1", artifact=Artifact.CSV, delay=2.5, error=error
    )
    assert json.loads(json.dumps(progress_record(event))) == {
        "event": "retrying",
        "export_id": "exp_1",
        "artifact": "csv",
        "received": 0,
        "total": None,
        "attempt": 1,
        "delay": 2.5,
        "error": str(error),
    }


def test_notice_record() -> None:
    """The kind of the notice is the field `event`."""
    record = notice_record(Notice("request_retried", "answered 503", 2.5))
    assert record == {"event": "request_retried", "reason": "answered 503", "delay": 2.5}


def test_report_record_of_a_failed_export() -> None:
    """The error of the export is a string."""
    error = ExportFailedError("the export failed", export_id="exp_1")
    record = report_record(DownloadReport(export_id="exp_1", error=error))
    assert (record["ok"], record["files"], record["error"]) == (False, [], str(error))
