"""A failure of a repeated download is new once, until the download succeeds."""

from __future__ import annotations

import attrs

from packagex_async import Artifact, ChecksumError, DownloadReport, ExportGoneError, StorageError
from packagex_async.cli.follow.repeated_failures import RepeatedFailures
from packagex_async.report import ByArtifact

SUCCESS = DownloadReport(export_id="exp_1")


def failed(*artifacts: Artifact, kind: type[StorageError | ChecksumError] = StorageError) -> DownloadReport:
    failures = [kind("failed", export_id="exp_1", artifact=artifact) for artifact in artifacts]
    return attrs.evolve(SUCCESS, failures=ByArtifact(failures))


def test_repeated_failures() -> None:
    """Another artifact, or another class of error, is a new failure."""
    repeated = RepeatedFailures()
    reports = [
        (failed(Artifact.CSV), ["csv"]),
        (failed(Artifact.CSV), []),
        (failed(Artifact.CSV, Artifact.JSON), ["json"]),
        (failed(Artifact.CSV, kind=ChecksumError), ["csv"]),
        (failed(Artifact.CSV, Artifact.JSON), []),
        (SUCCESS, []),
        (failed(Artifact.CSV), ["csv"]),
    ]
    for report, expected in reports:
        assert [getattr(error, "artifact", None) for error in repeated.add(report)] == expected
        assert ("exp_1" in repeated) == (report is not SUCCESS)


def test_permanent_failure() -> None:
    """It is not remembered, because there is no other report."""
    repeated = RepeatedFailures()
    error = ExportGoneError("deleted", export_id="exp_1")
    repeated.add(failed(Artifact.CSV))
    assert repeated.add(attrs.evolve(SUCCESS, error=error)) == (error,)
    assert "exp_1" not in repeated
