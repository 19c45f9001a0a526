"""Reports without paths."""

from __future__ import annotations

import pickle
from pathlib import Path, PurePosixPath
from typing import Any

import attrs

from packagex_async import (
    Artifact,
    ConnectionFailedError,
    DestinationError,
    DownloadedFile,
    DownloadReport,
    Export,
    ExportGoneError,
    ExportStatus,
    PlannedFile,
)
from packagex_async._files.executor import FileExecutor
from packagex_async._partials.targets import FileTarget
from packagex_async.integrations._dask.messages import ExportRecord
from packagex_async.integrations._dask.reports import decode_error, decode_report, encode_error, encode_report
from packagex_async.report import ByArtifact

EXPORT = Export(id="exp_1", status=ExportStatus.COMPLETED, name="contacts", count_total=2)
RECORD = ExportRecord.of(EXPORT)
WORKER, CLIENT = "/canary/worker", "/canary/client"


def targets(root: str) -> Any:
    """Return the files below a root."""

    def target(export: Export, artifact: Artifact) -> FileTarget:
        return FileTarget(Path(root) / f"{export.id}.{artifact}", Path(root), FileExecutor())

    return target


def transport(report: DownloadReport[Any]) -> DownloadReport[Any]:
    """Return the report that a client process gets from a worker."""
    data = pickle.dumps(encode_report(report, RECORD, targets(WORKER), WORKER))
    assert b"canary" not in data
    return decode_report(pickle.loads(data), EXPORT, targets(CLIENT), CLIENT)


def test_files_and_plans() -> None:
    """They have the paths of the process that receives the report."""
    file = DownloadedFile(
        artifact=Artifact.CSV,
        path=Path(WORKER, "exp_1.csv"),
        size=3,
        verified="length",
        sha256="ab",
        attempts=2,
        resumed=True,
        elapsed=0.5,
        kept=True,
        rows=7,
        source_sha256="cd",
    )
    planned = PlannedFile(artifact=Artifact.JSON, path=Path(WORKER, "exp_1.json"), reason="new", size=9)
    report = DownloadReport(
        export_id="exp_1",
        export=EXPORT,
        files=ByArtifact([file]),
        missing=(Artifact.CSV_ERROR,),
        planned=ByArtifact([planned]),
    )
    assert transport(report) == attrs.evolve(
        report,
        files=ByArtifact([attrs.evolve(file, path=Path(CLIENT, "exp_1.csv"))]),
        planned=ByArtifact([attrs.evolve(planned, path=Path(CLIENT, "exp_1.json"))]),
    )
    assert transport(report).export is EXPORT


def test_errors() -> None:
    """Their paths become those of the process that receives the report, also in causes."""
    path = f"{WORKER}/exp_1.csv"
    failure = DestinationError(
        f"{path} cannot be written: no space ({WORKER})",
        export_id="exp_1",
        artifact=Artifact.CSV,
        filename=path,
        errno=28,
    )
    error = ExportGoneError("export exp_1 is gone", export_id="exp_1")
    error.__cause__ = ConnectionFailedError(f"{WORKER} is not reachable")
    report = DownloadReport(export_id="exp_1", failures=ByArtifact([failure]), error=error)
    received = transport(report)
    (copy,) = received.failures
    assert isinstance(copy, DestinationError)
    assert (copy.filename, copy.errno) == (f"{CLIENT}/exp_1.csv", 28)
    assert copy.args == (f"{CLIENT}/exp_1.csv cannot be written: no space ({CLIENT})",)
    assert isinstance(received.error, ExportGoneError)
    assert str(received.error.__cause__) == f"{CLIENT} is not reachable"


def test_changed_export() -> None:
    """An export that has changed since it was listed is sent, without its URLs."""
    changed = attrs.evolve(EXPORT, status=ExportStatus.FAILED, csv_url="https://x/?sig=canary")
    received = transport(DownloadReport(export_id="exp_1", export=changed))
    assert received.export is not None
    assert (received.export.status, received.export.csv_url) == ("failed", None)


def test_error_of_a_job() -> None:
    """It has the destination of the process that receives it."""
    manifest = PurePosixPath(WORKER, "packagex-manifest.jsonl")
    error = encode_error(ConnectionFailedError(f"{manifest}: no"), WORKER)
    assert "canary" not in str(error)
    assert str(decode_error(error, CLIENT)) == f"{CLIENT}/packagex-manifest.jsonl: no"
