"""What a folder has of an export, and the report that this and what has just come make together."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path, PurePosixPath

import attrs

from packagex_async.models import Artifact
from packagex_async.report import ByArtifact, DownloadedFile, DownloadReport, ProgressEvent, ProgressKind


@attrs.define(eq=False, repr=False)
class Known:
    """What a folder has of an export.

    Attributes:
        paths: Where its artifacts go, relative to the folder.
        targets: The same in full.
        kept: Those that are there as they were brought.
        missing: Those it did not offer, and has not changed since.
        replaced: Those that were brought, and are not any more what is wanted.
        vacant: Those of which nothing is there, not even a part.
    """

    paths: dict[Artifact, PurePosixPath] = attrs.field(factory=dict)
    targets: dict[Artifact, Path] = attrs.field(factory=dict)
    kept: dict[Artifact, DownloadedFile] = attrs.field(factory=dict)
    missing: set[Artifact] = attrs.field(factory=set)
    replaced: set[Artifact] = attrs.field(factory=set)
    vacant: set[Artifact] = attrs.field(factory=set)

    def open(self, artifacts: Collection[Artifact]) -> tuple[Artifact, ...]:
        """Those of `artifacts` that have to be asked for."""
        return tuple(name for name in artifacts if name not in self.kept and name not in self.missing)

    def events(self, export_id: str) -> list[ProgressEvent]:
        """What there is to tell of the files that are kept."""
        return [
            ProgressEvent(
                kind=ProgressKind.KEPT,
                export_id=export_id,
                artifact=artifact,
                received=file.size,
                total=file.size,
            )
            for artifact, file in self.kept.items()
        ]

    def joined(self, fresh: DownloadReport) -> DownloadReport:
        """The report of all that is there, when `fresh` tells what has just come."""
        files = self.kept | dict(fresh.files.items())
        missing = {*self.missing, *fresh.missing}
        return attrs.evolve(
            fresh,
            files=ByArtifact(files[artifact] for artifact in Artifact if artifact in files),
            missing=tuple(artifact for artifact in Artifact if artifact in missing),
        )
