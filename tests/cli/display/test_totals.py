"""Totals of many downloads."""

from __future__ import annotations

import pytest

from packagex_async import (
    Artifact,
    ChecksumError,
    DestinationError,
    DownloadReport,
    ExportFailedError,
    ExportNotReadyError,
    StorageError,
    WaitTimeoutError,
)
from packagex_async.cli.display.totals import MAX_LISTED, Totals, errors_of
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
