"""A folder that exports are brought to, run after run: what of them is there, and what has come to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import ParamSpec, TypeVar, cast

import attrs

from packagex_async._files.disk_errors import DiskError, destination_error
from packagex_async._files.executor import FileExecutor
from packagex_async._files.layouts import Layout
from packagex_async._files.operations import digest_file, file_size
from packagex_async._files.paths import require_directories
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._sync.manifest import Manifest
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async.models import Artifact, Export
from packagex_async.report import (
    ByArtifact,
    DownloadedFile,
    DownloadReport,
    ProgressEvent,
    ProgressKind,
    Verified,
)
from packagex_async.retry import Clock

P = ParamSpec("P")
T = TypeVar("T")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Terms:
    """What counts as there.

    Attributes:
        resume: Whether what an earlier run has brought counts at all.
        verify: Whether it has to have the hash it had, too.
    """

    resume: bool
    verify: bool


class LocalState:
    """A folder and its manifest.

    Args:
        path: The folder.
        layout: Where in it an artifact goes.
        terms: What counts as there.
        disk: The threads to work on.
        clock: What dates the manifest's lines.
        leftovers: What earlier runs have left unfinished.
        durable: Whether those are on the medium before `record` returns.
    """

    def __init__(
        self,
        path: Path,
        layout: Layout,
        terms: Terms,
        disk: FileExecutor,
        clock: Clock,
        leftovers: PartialIndex,
        *,
        durable: bool,
    ) -> None:
        self._path = path
        self._layout = layout
        self._terms = terms
        self._disk = disk
        self._clock = clock
        self._manifest = Manifest(path, durable=durable)
        self._leftovers = leftovers

    async def known(self, export: Export, artifacts: Collection[Artifact]) -> Known:
        """What is there of `artifacts` already.

        Raises:
            DestinationError: The manifest cannot be read.
        """
        return await self._run(export, self._known, export, artifacts)

    async def record(self, export: Export, known: Known, report: DownloadReport) -> None:
        """Write down what has come, where it was known to go, and what the export does not offer.

        Raises:
            DestinationError: The manifest cannot be written.
        """
        if lines := list(self._lines(export, known, report)):
            await self._run(export, self._manifest.append, lines)

    def close(self) -> None:
        """Let the manifest go; idempotent."""
        self._manifest.close()

    async def _run(self, export: Export, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await self._disk.run_short(self._manifest.path, function, *args, **kwargs)
        except DiskError as error:
            failure = error
        raise destination_error(
            failure, export_id=export.id, artifact=Artifact.JSON, purpose="kept"
        ) from failure.cause

    def _known(self, export: Export, artifacts: Collection[Artifact]) -> Known:
        known = Known()
        lines = self._manifest.find(export.id, artifacts)
        for artifact in artifacts:
            known.paths[artifact] = path = self._layout(export, artifact)
            known.targets[artifact] = self._path / path
            self._see(known, artifact, lines.get(artifact), export)
        return known

    def _see(self, known: Known, artifact: Artifact, told: ManifestEntry | None, export: Export) -> None:
        target = known.targets[artifact]
        if not self._is_reached(target):
            return
        # One that appears from now on is in nobody's way: no file is ever replaced unseen.
        size = _size(target) if told or self._leftovers.may_exist(target) else None
        # A path in the manifest is compared and never followed, wherever it leads.
        line = told if told and told.path in (None, known.paths[artifact].as_posix()) else None
        if line and line.path is None and self._unchanged(line, export):
            known.missing.add(artifact)
        elif size is None and not self._leftovers.find(target):
            known.absent.add(artifact)
        elif line and line.path and size is not None and size >= 0:
            if self._unchanged(line, export) and self._holds(target, size, line):
                known.kept[artifact] = _kept(artifact, target, line)
            else:
                known.replaced.add(artifact)

    def _is_reached(self, target: Path) -> bool:
        """Whether directories alone lead to `target`; if not, its transfer tells what is in the way."""
        try:
            require_directories(target.parent, self._path)
        except OSError:
            return False
        return True

    def _unchanged(self, line: ManifestEntry, export: Export) -> bool:
        updated_at = _iso(export.updated_at)
        return self._terms.resume and updated_at is not None and line.updated_at == updated_at

    def _holds(self, target: Path, size: int, line: ManifestEntry) -> bool:
        if size != line.size or not self._terms.verify:
            return size == line.size
        try:
            there = digest_file(target, ("sha256",))
        except OSError:
            return False
        return there is not None and there.digests["sha256"].hex() == line.sha256

    def _lines(self, export: Export, known: Known, report: DownloadReport) -> Iterator[ManifestEntry]:
        when = datetime.fromtimestamp(self._clock.time(), UTC).isoformat(timespec="seconds")
        updated_at = _iso(export.updated_at)
        for file in report.files:
            yield ManifestEntry(
                export_id=export.id,
                artifact=file.artifact.value,
                path=known.paths[file.artifact].as_posix(),
                size=file.size,
                sha256=file.sha256,
                verified=file.verified,
                when=when,
                updated_at=updated_at,
            )
        # Who does not tell when it changed is asked again in any case.
        for artifact in report.missing if updated_at else ():
            yield ManifestEntry(
                export_id=export.id, artifact=artifact.value, when=when, updated_at=updated_at
            )


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def _size(target: Path) -> int | None:
    """The file's length, `None` when nothing is there, less than 0 for something else than a file."""
    try:
        return file_size(target)
    except OSError:
        return -1


def _kept(artifact: Artifact, target: Path, line: ManifestEntry) -> DownloadedFile:
    return DownloadedFile(
        artifact=artifact,
        path=target,
        size=line.size or 0,
        verified=cast(Verified, line.verified),
        sha256=line.sha256,
        attempts=0,
        kept=True,
    )


@attrs.define(eq=False, repr=False)
class Known:
    """What a folder has of an export.

    Attributes:
        paths: Where its artifacts go, relative to the folder.
        targets: The same in full.
        kept: Those that are there as they were brought.
        missing: Those it did not offer, and has not changed since.
        replaced: Those that were brought, and are not any more what is wanted.
        absent: Those of which nothing is there, not even a part.
    """

    paths: dict[Artifact, PurePosixPath] = attrs.field(factory=dict)
    targets: dict[Artifact, Path] = attrs.field(factory=dict)
    kept: dict[Artifact, DownloadedFile] = attrs.field(factory=dict)
    missing: set[Artifact] = attrs.field(factory=set)
    replaced: set[Artifact] = attrs.field(factory=set)
    absent: set[Artifact] = attrs.field(factory=set)

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
