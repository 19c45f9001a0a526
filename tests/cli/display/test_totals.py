"""Totals of many downloads."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from packagex_async import (
    Artifact,
    ChecksumError,
    DestinationError,
    DownloadedFile,
    DownloadReport,
    Export,
    ExportFailedError,
    ExportGoneError,
    ExportNotReadyError,
    ExportTimedOutError,
    ProgressEvent,
    ProgressKind,
    StorageError,
    WaitTimeoutError,
)
from packagex_async.cli.display.totals import MAX_LISTED, Totals, count, errors_of
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.report import ByArtifact


def test_number_of_kept_failures_is_limited() -> None:
    """Further failures are only counted, so the memory use is bounded."""
    totals = Totals()
    for number in range(MAX_LISTED + 5):
        error = ExportNotReadyError("no", export_id=f"exp_{number}")
        totals.add(DownloadReport(export_id=f"exp_{number}", error=error))
    assert (totals.failed, len(totals.failures)) == (MAX_LISTED + 5, MAX_LISTED)
    assert totals.exit_code == ExitCode.NOTHING


def test_one_success_changes_the_exit_code() -> None:
    """An export without failures is a success, even if it offers nothing."""
    totals = Totals()
    error = ChecksumError("no", export_id="exp_1", artifact=Artifact.CSV)
    totals.add(DownloadReport(export_id="exp_1", failures=ByArtifact([error])))
    assert totals.exit_code == ExitCode.NOTHING
    totals.add(DownloadReport(export_id="exp_2"))
    assert (totals.exports, totals.exit_code) == (2, ExitCode.PARTIAL)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (WaitTimeoutError("no", export_id="exp_1", status=None), "--wait-timeout"),
        (ExportNotReadyError("no", export_id="exp_1"), "--wait"),
        (ExportFailedError("no", export_id="exp_1"), "create the export again"),
        (DestinationError("no", export_id="exp_1", artifact=Artifact.CSV), "problem with the file"),
        (ChecksumError("no", export_id="exp_1", artifact=Artifact.CSV), "create the export again"),
        (StorageError("no", export_id="exp_1", artifact=Artifact.CSV), "run again to resume"),
    ],
)
def test_each_failure_has_advice(error: ExportFailedError | StorageError, advice: str) -> None:
    """It depends on the error."""
    totals = Totals()
    if isinstance(error, (StorageError, ChecksumError, DestinationError)):
        report = DownloadReport(export_id="exp_1", failures=ByArtifact([error]))
    else:
        report = DownloadReport(export_id="exp_1", error=error)
    assert errors_of(report) == (error,)
    totals.add(report)
    assert advice in totals.failures[0].advice


def finished(artifact: Artifact, *, kept: bool = False) -> ProgressEvent:
    """Return the last event of a file of 10 bytes."""
    kind = ProgressKind.KEPT if kept else ProgressKind.FINISHED
    return ProgressEvent(kind=kind, export_id="exp_1", artifact=artifact, received=10)


def test_files_count_when_they_are_complete() -> None:
    """The report of their export does not count them again."""
    totals = Totals()
    started = ProgressEvent(kind=ProgressKind.STARTED, export_id="exp_1", artifact=Artifact.CSV)
    for event in (started, finished(Artifact.CSV), finished(Artifact.JSON, kept=True)):
        totals.on_progress(event)
    assert (totals.exports, totals.files, totals.kept, totals.size) == (0, 1, 1, 10)
    totals.add(DownloadReport(export_id="exp_0"))
    assert (totals.exports, totals.files, totals.kept, totals.size) == (1, 1, 1, 10)
    files = [
        DownloadedFile(artifact=artifact, path=Path("a"), size=10, verified="length", kept=kept)
        for artifact, kept in ((Artifact.CSV, False), (Artifact.JSON, True))
    ]
    totals.add(DownloadReport(export_id="exp_1", files=ByArtifact(files)))
    assert (totals.exports, totals.files, totals.kept, totals.size) == (2, 1, 1, 10)


def test_repeated_reports_count_once() -> None:
    """A later success removes the failure. Kept files of earlier attempts are not counted again."""
    totals = Totals(repeats=True)
    error = ChecksumError("no", export_id="exp_1", artifact=Artifact.CSV)
    json, kept_json, csv = (
        DownloadedFile(
            artifact=artifact, path=Path("a"), size=10, verified="length", kept=kept, rows=3, attempts=1
        )
        for artifact, kept in ((Artifact.JSON, False), (Artifact.JSON, True), (Artifact.CSV, False))
    )
    export = Export(id="exp_1", count_total=4)
    failed = DownloadReport(
        export_id="exp_1",
        export=export,
        files=ByArtifact([json]),
        missing=(Artifact.CSV_ERROR,),
        failures=ByArtifact([error]),
    )
    for report in (failed, attrs.evolve(failed, files=ByArtifact([kept_json]))):
        totals.on_progress(finished(Artifact.JSON, kept=report is not failed))
        totals.add(report)
        assert (totals.exports, totals.files, totals.kept, totals.size) == (1, 1, 0, 10)
        assert (totals.failed, len(totals.failures), totals.not_offered) == (1, 1, 1)
        assert (totals.rows, totals.differing) == (3, 1)
    totals.add(attrs.evolve(failed, files=ByArtifact([kept_json, csv]), failures=ByArtifact([])))
    assert (totals.exports, totals.files, totals.kept, totals.size) == (1, 2, 0, 20)
    assert (totals.failed, totals.failures, totals.not_offered) == (0, [], 1)
    assert (totals.rows, totals.differing) == (6, 2)


def test_permanent_failure_is_the_last_report() -> None:
    """The same id in a later report is another export."""
    totals = Totals(repeats=True)
    for error in (
        ExportNotReadyError("no", export_id="exp_1"),
        ExportGoneError("no", export_id="exp_1"),
        ExportGoneError("no", export_id="exp_1"),
    ):
        totals.add(DownloadReport(export_id="exp_1", error=error))
    assert (totals.exports, totals.failed) == (2, 2)


@pytest.mark.parametrize(("ignored", "code"), [(False, ExitCode.FAILED), (True, ExitCode.OK)])
def test_exports_that_failed_on_the_platform_are_not_failed_downloads(ignored: bool, code: ExitCode) -> None:
    """They have a count and an exit code of their own."""
    totals = Totals(ignore_failed_exports=ignored)
    for error in (ExportFailedError("no", export_id="exp_1"), ExportTimedOutError("no", export_id="exp_1")):
        totals.add(DownloadReport(export_id="exp_1", error=error))
    assert (totals.failed, totals.failed_exports, len(totals.failures)) == (0, 2, 2)
    assert totals.exit_code is code


def test_count() -> None:
    """It has a singular and a plural."""
    assert [count(number, "export") for number in (0, 1, 2000)] == ["0 exports", "1 export", "2,000 exports"]
