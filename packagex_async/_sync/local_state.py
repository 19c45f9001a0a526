"""The local state of a download directory: which artifacts exist, and which have to be downloaded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import ParamSpec, TypeVar, cast

import attrs

from packagex_async._download.options import DownloadOptions
from packagex_async._files.disk_errors import DiskError, destination_error
from packagex_async._files.executor import FileExecutor
from packagex_async._files.layouts import Layout
from packagex_async._files.operations import digest_file
from packagex_async._partials.existing_files import ExistingFile, examine
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._sync.exclusions import Exclusions
from packagex_async._sync.manifest import Manifest
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async.models import Artifact, Export
from packagex_async.report import (
    ByArtifact,
    DownloadedFile,
    DownloadReport,
    PlanReason,
    ProgressEvent,
    ProgressKind,
    Verified,
)
from packagex_async.retry import Clock

P = ParamSpec("P")
T = TypeVar("T")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ReusePolicy:
    """When a file of an earlier run is kept.

    Attributes:
        resume: Keep files at all.
        verify: Compare the SHA-256 of each file with the manifest, not only its length.
        count_rows: Take the numbers of rows from the manifest.
    """

    resume: bool
    verify: bool
    count_rows: bool = False


@attrs.define(eq=False, repr=False)
class LocalArtifacts:
    """The local state of one export's artifacts.

    An artifact is in at most one of `kept`, `missing`, `replaced`, `lost` and `excluded`.

    Attributes:
        paths: Paths relative to the directory.
        targets: Full paths.
        kept: Artifacts whose file is unchanged since an earlier run.
        missing: Artifacts that the export did not offer in an earlier run; it has not changed since.
        replaced: Artifacts whose file is from an earlier run, and outdated or damaged.
        lost: Artifacts whose file of an earlier run does not exist any more.
        excluded: Artifacts that the caller does not want.
        existing: The content of each path.
        entries: The manifest entries of the files that are kept or were downloaded.
    """

    paths: dict[Artifact, PurePosixPath] = attrs.field(factory=dict)
    targets: dict[Artifact, Path] = attrs.field(factory=dict)
    kept: dict[Artifact, DownloadedFile] = attrs.field(factory=dict)
    entries: dict[Artifact, ManifestEntry] = attrs.field(factory=dict)
    missing: set[Artifact] = attrs.field(factory=set)
    replaced: set[Artifact] = attrs.field(factory=set)
    lost: set[Artifact] = attrs.field(factory=set)
    excluded: set[Artifact] = attrs.field(factory=set)
    existing: dict[Artifact, ExistingFile] = attrs.field(factory=dict)

    def to_download(self, artifacts: Collection[Artifact]) -> tuple[Artifact, ...]:
        """Return those of `artifacts` that have to be downloaded."""
        unwanted = {*self.kept, *self.missing, *self.excluded}
        return tuple(name for name in artifacts if name not in unwanted)

    def reasons(self) -> dict[Artifact, PlanReason]:
        """Return why artifacts with a file of an earlier run have to be downloaded."""
        return {**dict.fromkeys(self.replaced, "changed"), **dict.fromkeys(self.lost, "lost")}

    def kept_events(self, export_id: str) -> list[ProgressEvent]:
        """Return a progress event for each file that is kept."""
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

    def merge_into(self, report: DownloadReport) -> DownloadReport:
        """Return a copy of `report` with the kept files and the missing artifacts added."""
        files = self.kept | dict(report.files.items())
        missing = {*self.missing, *report.missing}
        return attrs.evolve(
            report,
            files=ByArtifact(files[artifact] for artifact in Artifact if artifact in files),
            missing=tuple(artifact for artifact in Artifact if artifact in missing),
        )


class LocalState:
    """A download directory and its manifest.

    Args:
        directory: The directory.
        layout: Determines the path of each artifact.
        policy: Determines which files are kept.
        disk: Runs blocking calls in threads.
        clock: Source of the time in manifest entries.
        partials: The partial files of earlier runs; `None` if they are not resumed.
        options: The options of the downloads.
        exclusions: The files that are not downloaded.
        manifest: The manifest of the directory.
    """

    def __init__(
        self,
        directory: Path,
        layout: Layout,
        policy: ReusePolicy,
        disk: FileExecutor,
        clock: Clock,
        partials: PartialIndex | None,
        *,
        options: DownloadOptions,
        manifest: Manifest,
        exclusions: Exclusions | None = None,
    ) -> None:
        self._directory = directory
        self._layout = layout
        self._policy = policy
        self._disk = disk
        self._clock = clock
        self._options = options
        self._manifest = manifest
        self._exclusions = exclusions
        self._partials = partials

    async def inspect(self, export: Export, artifacts: Collection[Artifact]) -> LocalArtifacts:
        """Return the local state of the artifacts.

        Raises:
            DestinationError: The manifest cannot be read.
        """
        return await self._run(export, self._inspect, export, artifacts)

    async def record(self, export: Export, local: LocalArtifacts, report: DownloadReport) -> None:
        """Add the downloaded files and the missing artifacts of `report` to the manifest.

        Raises:
            DestinationError: The manifest cannot be written.
        """
        if entries := list(self._entries(export, local, report)):
            local.entries |= {Artifact(entry.artifact): entry for entry in entries}
            await self._run(export, self._manifest.append, entries)

    async def record_rows(self, export: Export, local: LocalArtifacts, report: DownloadReport) -> None:
        """Add the numbers of rows in `report` that the manifest does not have yet.

        Raises:
            DestinationError: The manifest cannot be written.
        """
        entries = [
            attrs.evolve(local.entries[file.artifact], rows=file.rows)
            for file in report.files
            if file.rows is not None and file.rows != local.entries[file.artifact].rows
        ]
        if entries:
            await self._run(export, self._manifest.append, entries)

    def close(self) -> None:
        """Close the manifest. Idempotent."""
        self._manifest.close()

    async def _run(self, export: Export, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await self._disk.run_short(self._manifest.path, function, *args, **kwargs)
        except DiskError as error:
            failure = error
        raise destination_error(
            failure, export_id=export.id, artifact=Artifact.JSON, purpose="kept"
        ) from failure.cause

    def _inspect(self, export: Export, artifacts: Collection[Artifact]) -> LocalArtifacts:
        local = LocalArtifacts()
        entries = self._manifest.find(export.id, artifacts, self._formats(artifacts))
        for artifact in artifacts:
            path = self._options.path_of(self._layout(export, artifact), artifact)
            if self._exclusions is not None and self._exclusions.match(path):
                local.excluded.add(artifact)
                continue
            local.paths[artifact] = path
            local.targets[artifact] = self._directory / path
            self._classify(local, artifact, entries.get(artifact), export)
        return local

    def _classify(
        self, local: LocalArtifacts, artifact: Artifact, entry: ManifestEntry | None, export: Export
    ) -> None:
        target = local.targets[artifact]
        existing = examine(target, self._directory, self._partials, expected=entry is not None)
        local.existing[artifact] = existing
        # A path from the manifest is only compared, never opened.
        if entry is None or entry.path not in (None, local.paths[artifact].as_posix()):
            return
        if entry.path is None:
            if self._is_current(entry, export):
                local.missing.add(artifact)
        elif existing.size is None:
            local.lost.add(artifact)
        elif existing.is_readable:
            if self._is_current(entry, export) and self._is_intact(target, existing.size, entry):
                local.kept[artifact] = self._kept_file(artifact, target, entry)
                local.entries[artifact] = entry
            else:
                local.replaced.add(artifact)

    def _kept_file(self, artifact: Artifact, target: Path, entry: ManifestEntry) -> DownloadedFile:
        return DownloadedFile(
            artifact=artifact,
            path=target,
            size=entry.size or 0,
            verified=cast(Verified, entry.verified),
            sha256=entry.sha256,
            attempts=0,
            kept=True,
            rows=entry.rows if self._policy.count_rows or entry.format else None,
            source_sha256=entry.source_sha256,
        )

    def _is_current(self, entry: ManifestEntry, export: Export) -> bool:
        updated_at = _iso(export.updated_at)
        return self._policy.resume and updated_at is not None and entry.updated_at == updated_at

    def _is_intact(self, target: Path, size: int | None, entry: ManifestEntry) -> bool:
        if size != entry.size or not self._has_current_types(target, entry):
            return False
        if not self._policy.verify:
            return True
        try:
            file = digest_file(target, ("sha256",))
        except OSError:
            return False
        return file is not None and entry.matches(file)

    def _has_current_types(self, target: Path, entry: ManifestEntry) -> bool:
        file_format = self._options.format_of(Artifact(entry.artifact))
        return file_format is None or file_format.is_current(target, entry.types)

    def _formats(self, artifacts: Iterable[Artifact]) -> dict[str, str]:
        """Return the format of each artifact that is converted."""
        return {artifact: name for artifact in artifacts if (name := self._format_name(artifact))}

    def _format_name(self, artifact: Artifact) -> str | None:
        file_format = self._options.format_of(artifact)
        return None if file_format is None else file_format.name

    def _type_names(self, artifact: Artifact) -> dict[str, str] | None:
        file_format = self._options.format_of(artifact)
        return None if file_format is None else file_format.type_names

    def _entries(
        self, export: Export, local: LocalArtifacts, report: DownloadReport
    ) -> Iterator[ManifestEntry]:
        when = datetime.fromtimestamp(self._clock.time(), UTC).isoformat(timespec="seconds")
        updated_at = _iso(export.updated_at)
        for file in report.files:
            yield ManifestEntry(
                export_id=export.id,
                artifact=file.artifact.value,
                path=local.paths[file.artifact].as_posix(),
                size=file.size,
                sha256=file.sha256,
                verified=file.verified,
                when=when,
                updated_at=updated_at,
                rows=file.rows,
                format=self._format_name(file.artifact),
                source_sha256=file.source_sha256,
                types=self._type_names(file.artifact),
            )
        # Without `updated_at` an entry cannot show that the export is unchanged.
        for artifact in report.missing if updated_at else ():
            yield ManifestEntry(
                export_id=export.id,
                artifact=artifact.value,
                when=when,
                updated_at=updated_at,
                format=self._format_name(artifact),
            )


def _iso(date: datetime | None) -> str | None:
    return date.isoformat() if date is not None else None
