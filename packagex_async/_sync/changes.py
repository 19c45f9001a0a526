"""Download of the artifacts of one export that are new or have changed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import attrs

from packagex_async._context import ClientContext
from packagex_async._download.export import DownloadPlan, ExportDownload
from packagex_async._polling.export_source import ExportSource
from packagex_async._sync.local_state import LocalArtifacts
from packagex_async.models import Artifact, Export
from packagex_async.report import DownloadReport, StoredFile


class State(Protocol):
    """The state of a directory or bucket; see `LocalState` and `BucketState`."""

    async def open(self) -> None:
        """Prepare for several exports."""
        ...

    async def inspect(
        self, export: Export, artifacts: Collection[Artifact], *, refresh: bool = False
    ) -> LocalArtifacts:
        """Return the state of the artifacts of an export; `refresh` ignores what was read before."""
        ...

    async def record(self, export: Export, local: LocalArtifacts, report: DownloadReport[StoredFile]) -> None:
        """Add the downloaded files and the missing artifacts of `report` to the manifest."""
        ...

    async def record_rows(
        self, export: Export, local: LocalArtifacts, report: DownloadReport[StoredFile]
    ) -> None:
        """Add the numbers of rows in `report` to the manifest."""
        ...

    def close(self) -> None:
        """Close the manifest."""
        ...


async def download_changed(
    export: Export, local: LocalArtifacts, source: ExportSource, plan: DownloadPlan, context: ClientContext
) -> DownloadReport[StoredFile]:
    """Download the artifacts that are not kept; return a report without those that are kept.

    Args:
        export: The export.
        local: The state of its artifacts.
        source: Retrieves the export again, with its URLs.
        plan: The artifacts to download.
        context: The state of the client.

    Raises:
        PackageXError: The export cannot be downloaded.
    """
    artifacts = local.to_download(plan.artifacts)
    if not artifacts:
        return DownloadReport(export_id=export.id, export=export)
    export = await source.with_urls(export, artifacts)
    changed = attrs.evolve(
        plan,
        artifacts=artifacts,
        targets=local.targets,
        replaced=local.replaced,
        existing=local.existing,
        reasons=local.reasons(),
    )
    return await ExportDownload(export, source.urls(export), changed, context).run()
