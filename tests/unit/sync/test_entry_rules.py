"""The rules for manifest entries."""

from __future__ import annotations

from datetime import UTC, datetime

from packagex_async import Artifact, DownloadReport, Export, ExportStatus
from packagex_async._download.options import DownloadOptions
from packagex_async._sync.entry_rules import EntryRules, ReusePolicy
from packagex_async.report import BucketFile, ByArtifact, StoredFile
from packagex_async.retry import SystemClock

FILE = BucketFile(artifact=Artifact.CSV, key="x/a.csv", url="s3://b/x/a.csv", size=1, verified="length")


def rules(*, resume: bool = True) -> EntryRules:
    return EntryRules(ReusePolicy(resume=resume, verify=False), DownloadOptions(), SystemClock())


def test_entries() -> None:
    """A file and a missing artifact get an entry each; only an unchanged export is current."""
    export = Export(id="exp_1", status=ExportStatus.COMPLETED, updated_at=datetime(2026, 1, 1, tzinfo=UTC))
    report: DownloadReport[StoredFile] = DownloadReport(
        export_id="exp_1", files=ByArtifact([FILE]), missing=(Artifact.JSON,)
    )
    paths = {Artifact.CSV: "a.csv"}
    first, second = rules().new_entries(export, paths, report)
    assert (first.path, first.size, second.artifact, second.path) == ("a.csv", 1, "json", None)
    assert rules().is_current(first, export)
    assert not rules(resume=False).is_current(first, export)
    assert not rules().is_current(first, Export(id="exp_1", status=ExportStatus.COMPLETED))
    assert rules().formats([Artifact.CSV]) == {}
