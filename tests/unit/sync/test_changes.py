"""Downloads of changed artifacts."""

from __future__ import annotations

from typing import Any

from packagex_async import Artifact, Export, ExportStatus
from packagex_async._sync.changes import download_changed
from packagex_async._sync.local_state import LocalArtifacts


async def test_nothing_has_changed() -> None:
    """No URL is requested if no artifact is new or changed."""
    export = Export(id="exp_1", status=ExportStatus.COMPLETED)
    local = LocalArtifacts(missing=set(Artifact))
    nothing: Any = None

    class Plan:
        artifacts = tuple(Artifact)

    plan: Any = Plan()
    report = await download_changed(export, local, nothing, plan, nothing)
    assert (report.export_id, report.files, report.missing) == ("exp_1", (), ())
