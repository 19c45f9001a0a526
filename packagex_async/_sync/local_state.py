"""The local state of a download directory: which artifacts exist, and which have to be downloaded."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import attrs

from packagex_async._concurrency.read_progress import OnBlock, run_stoppable
from packagex_async._download.options import DownloadOptions
from packagex_async._files.disk_errors import DiskError, destination_error
from packagex_async._files.exclusions import Exclusions
from packagex_async._files.executor import FileExecutor
from packagex_async._files.layouts import Layout
from packagex_async._files.operations import digest_file
from packagex_async._partials.existing_files import ExistingFile, examine
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._partials.targets import FileTarget, Target
from packagex_async._sync.entry_rules import EntryRules, ReusePolicy
from packagex_async._sync.manifest import Manifest
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async._sync.unchanged_exports import UnchangedExports
from packagex_async.models import Artifact, Export
from packagex_async.report import (
    ByArtifact,
    DownloadedFile,
    DownloadReport,
    PlanReason,
    ProgressEvent,
    ProgressKind,
    StoredFile,
)
from packagex_async.retry import Clock

P = ParamSpec("P")
T = TypeVar("T")


@attrs.define(eq=False, repr=False)
class LocalArtifacts:
    """The local state of one export's artifacts.

    An artifact is in at most one of `kept`, `missing`, `replaced`, `lost` and `excluded`.

    Attributes:
        paths: Paths relative to the directory, with `/` as separator.
        targets: The files or objects.
        kept: Artifacts whose file is unchanged since an earlier run.
        missing: Artifacts that the export did not offer in an earlier run; it has not changed since.
        replaced: Artifacts whose file is from an earlier run, and outdated or damaged.
        lost: Artifacts whose file of an earlier run does not exist any more.
        excluded: Artifacts that the caller does not want.
        existing: The content of each path.
        entries: The manifest entries of the files that are kept or were downloaded.
    """

    paths: dict[Artifact, str] = attrs.field(factory=dict)
    targets: dict[Artifact, Target] = attrs.field(factory=dict)
    kept: dict[Artifact, StoredFile] = attrs.field(factory=dict)
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
        return [kept_event(export_id, file) for file in self.kept.values()]

    def apply(
        self,
        entry: ManifestEntry,
        artifact: Artifact,
        export: Export,
        rules: EntryRules,
        is_intact: Callable[[ManifestEntry], bool],
    ) -> None:
        """Decide by its manifest entry what happens to an artifact, whose path and content are known.

        Args:
            entry: The manifest entry.
            artifact: The artifact.
            export: The export.
            rules: The rules for entries.
            is_intact: Returns whether the existing file or object is the one of an entry.
        """
        # A path from the manifest is only compared, never opened.
        if entry.path not in (None, self.paths[artifact]):
            return
        existing = self.existing[artifact]
        if entry.path is None:
            if rules.is_current(entry, export):
                self.missing.add(artifact)
        elif existing.size is None:
            self.lost.add(artifact)
        elif existing.is_readable:
            if rules.is_current(entry, export) and is_intact(entry):
                self.kept[artifact] = rules.kept_file(artifact, entry, self.targets[artifact].new_file)
                self.entries[artifact] = entry
            else:
                self.replaced.add(artifact)

    def counted_entries(self, report: DownloadReport[StoredFile]) -> list[ManifestEntry]:
        """Return the manifest entries of the files in `report` with new numbers of rows."""
        return [
            attrs.evolve(self.entries[file.artifact], rows=file.rows)
            for file in report.files
            if file.rows is not None and file.rows != self.entries[file.artifact].rows
        ]

    def merge_into(self, report: DownloadReport[StoredFile]) -> DownloadReport[StoredFile]:
        """Return `report` with the kept files and the missing artifacts added."""
        if not self.kept and not self.missing:
            return report
        files = self.kept | dict(report.files.items())
        missing = {*self.missing, *report.missing}
        return attrs.evolve(
            report,
            files=ByArtifact(files[artifact] for artifact in Artifact if artifact in files),
            missing=tuple(artifact for artifact in Artifact if artifact in missing),
        )


def kept_event(export_id: str, file: StoredFile) -> ProgressEvent:
    """Return the progress event of a file that is kept."""
    return ProgressEvent(
        kind=ProgressKind.KEPT,
        export_id=export_id,
        artifact=file.artifact,
        received=file.size,
        total=file.size,
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
        self._clock = clock
        self._rules = EntryRules(policy, options, clock)
        self._disk = disk
        self._options = options
        self._manifest = manifest
        self._exclusions = exclusions
        self._partials = partials
        self._unchanged = UnchangedExports(
            directory=directory,
            layout=layout,
            rules=self._rules,
            manifest=manifest,
            exclusions=exclusions,
        )

    async def open(self) -> None:
        """Do nothing: the first access opens the manifest."""

    def with_options(self, options: DownloadOptions) -> LocalState:
        """Return the same state for downloads with other options. Both use the same manifest."""
        return LocalState(
            self._directory,
            self._layout,
            self._policy,
            self._disk,
            self._clock,
            options.partial_index,
            options=options,
            manifest=self._manifest,
            exclusions=self._exclusions,
        )

    def target(self, export: Export, artifact: Artifact) -> FileTarget:
        """Return the file of an artifact."""
        path = self._options.path_of(self._layout(export, artifact), artifact)
        return FileTarget(self._directory / path, self._directory, self._disk)

    async def inspect(
        self, export: Export, artifacts: Collection[Artifact], *, refresh: bool = False
    ) -> LocalArtifacts:
        """Return the local state of the artifacts.

        Args:
            export: The export.
            artifacts: The artifacts.
            refresh: List the directories of the files again.

        Raises:
            DestinationError: The manifest cannot be read.
        """
        if not self._policy.verify:
            return await self._run(export, self._inspect, export, artifacts, refresh)
        path = self._manifest.path
        with _public_errors(export):
            # It reads whole files, so it is not a short call.
            return await run_stoppable(
                lambda on_block: self._disk.run(path, self._inspect, export, artifacts, refresh, on_block)
            )

    async def unchanged(
        self, exports: Sequence[Export], artifacts: Collection[Artifact]
    ) -> Mapping[str, DownloadReport[DownloadedFile]]:
        """Return the reports of exports of which nothing has to be downloaded, by id.

        Other exports are not in the result. It is empty if files have to be read to compare them.

        Raises:
            DestinationError: The manifest cannot be read.
        """
        policy = self._policy
        if not exports or policy.verify or not policy.resume or self._options.file_format is not None:
            return {}
        return await self._run(exports[0], self._unchanged.reports, exports, artifacts)

    async def record(self, export: Export, local: LocalArtifacts, report: DownloadReport[StoredFile]) -> None:
        """Add the downloaded files and the missing artifacts of `report` to the manifest.

        Raises:
            DestinationError: The manifest cannot be written.
        """
        if entries := list(self._rules.new_entries(export, local.paths, report)):
            local.entries |= {Artifact(entry.artifact): entry for entry in entries}
            await self._run(export, self._manifest.append, entries)

    async def record_rows(
        self, export: Export, local: LocalArtifacts, report: DownloadReport[StoredFile]
    ) -> None:
        """Add the numbers of rows in `report` that the manifest does not have yet.

        Raises:
            DestinationError: The manifest cannot be written.
        """
        if entries := local.counted_entries(report):
            await self._run(export, self._manifest.append, entries)

    def close(self) -> None:
        """Close the manifest. Idempotent."""
        self._manifest.close()

    async def _run(self, export: Export, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        with _public_errors(export):
            return await self._disk.run_short(self._manifest.path, function, *args, **kwargs)

    def _inspect(
        self,
        export: Export,
        artifacts: Collection[Artifact],
        refresh: bool,
        on_block: OnBlock | None = None,
    ) -> LocalArtifacts:
        local = LocalArtifacts()
        if refresh and self._partials is not None:
            self._partials.clear()
        entries = self._manifest.find(export.id, artifacts, self._rules.formats(artifacts))
        for artifact in artifacts:
            path = self._options.path_of(self._layout(export, artifact), artifact)
            if self._exclusions is not None and self._exclusions.match(path):
                local.excluded.add(artifact)
                continue
            local.paths[artifact] = path
            target = FileTarget(self._directory / path, self._directory, self._disk)
            local.targets[artifact] = target
            local.existing[artifact] = examine(
                target.path, self._directory, self._partials, expected=artifact in entries
            )
            if entry := entries.get(artifact):
                is_intact = partial(self._is_intact, artifact, local, on_block)
                local.apply(entry, artifact, export, self._rules, is_intact)
        return local

    def _is_intact(
        self, artifact: Artifact, local: LocalArtifacts, on_block: OnBlock | None, entry: ManifestEntry
    ) -> bool:
        target = local.targets[artifact]
        if local.existing[artifact].size != entry.size or not self._rules.has_current_types(target, entry):
            return False
        if not self._rules.policy.verify:
            return True
        try:
            file = digest_file(self._directory / local.paths[artifact], ("sha256",), on_block)
        except OSError:
            return False
        return file is not None and entry.matches(file)


@contextlib.contextmanager
def _public_errors(export: Export) -> Generator[None, None, None]:
    """Convert a `DiskError` in the `with` block to a public error."""
    try:
        yield
        return
    except DiskError as error:
        failure = error
    raise destination_error(
        failure, export_id=export.id, artifact=Artifact.JSON, purpose="kept"
    ) from failure.cause
