"""The download of one export: its artifacts, concurrently."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from types import MappingProxyType

import attrs

from packagex_async._context import ClientContext
from packagex_async._download.artifact import ArtifactDownload
from packagex_async._download.options import DownloadOptions
from packagex_async._files.disk_errors import DiskError, destination_error
from packagex_async._files.layouts import flat
from packagex_async._files.operations import FATAL_ERRNOS
from packagex_async._files.paths import require_directories
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._storage.download_url import DownloadUrl
from packagex_async._storage.download_urls import DownloadUrls
from packagex_async.errors import ConfigurationError, DestinationError, DownloadError, ExportGoneError
from packagex_async.models import Artifact, Export
from packagex_async.report import (
    ByArtifact,
    DownloadedFile,
    DownloadReport,
    OnProgress,
    ProgressEvent,
    ProgressKind,
)

_Failure = DownloadError | ExportGoneError
_Outcome = DownloadedFile | _Failure

_UNKNOWN: Mapping[Artifact, Path] = MappingProxyType({})


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DownloadPlan:
    """The artifacts to download, and their paths.

    Attributes:
        directory: The directory of the files.
        artifacts: The artifacts, in the order of `Artifact`.
        concurrency: The maximum number of artifacts that are downloaded at the same time.
        options: The requirements for each file.
        on_progress: Called at every step.
        targets: The paths of the artifacts, if they are known already.
        replaced: The artifacts whose files are replaced, even without `overwrite`.
        absent: The artifacts that certainly have neither a file nor a partial file.
    """

    directory: Path
    artifacts: tuple[Artifact, ...]
    concurrency: int
    options: DownloadOptions
    on_progress: OnProgress | None
    targets: Mapping[Artifact, Path] = _UNKNOWN
    replaced: Set[Artifact] = frozenset()
    absent: Set[Artifact] = frozenset()

    def target(self, export: Export, artifact: Artifact) -> Path:
        """Return the path of `artifact`."""
        return self.targets.get(artifact) or self.directory / flat(export, artifact)

    def overwrites(self, artifact: Artifact) -> bool:
        """Return whether an existing file of `artifact` is replaced."""
        return self.options.overwrite or artifact in self.replaced


def select_artifacts(artifacts: Iterable[Artifact | str] | str | None) -> tuple[Artifact, ...]:
    """Return the artifacts that a caller names, or all four if it names none.

    Raises:
        ConfigurationError: A name is unknown, or the selection is empty.
    """
    if artifacts is None:
        return tuple(Artifact)
    names = {artifacts} if isinstance(artifacts, str) else set(artifacts)
    if not names or not names <= set(Artifact):
        given = ", ".join(sorted(map(repr, map(str, names)))) or "none"
        raise ConfigurationError(f"artifacts must be some of {', '.join(Artifact)}, not {given}")
    return tuple(artifact for artifact in Artifact if artifact in names)


@attrs.frozen(eq=False, repr=False)
class _OnDisk:
    """The files that exist before a download.

    Attributes:
        files: The artifacts that have a file.
        partials: The artifacts that have a partial file of an earlier run.
        refused: The artifacts whose directory must not be used, with the reason.
    """

    files: Set[Artifact] = frozenset()
    partials: Set[Artifact] = frozenset()
    refused: Mapping[Artifact, OSError] = MappingProxyType({})

    @classmethod
    def scan(cls, root: Path, targets: Mapping[Artifact, Path], index: PartialIndex | None) -> _OnDisk:
        """Look at each of `targets`, without following links below `root`."""
        refused: dict[Artifact, OSError] = {}
        for artifact, path in targets.items():
            try:
                require_directories(path.parent, root)
            except OSError as error:
                refused[artifact] = error
        usable = {artifact: path for artifact, path in targets.items() if artifact not in refused}
        return cls(
            files={artifact for artifact, path in usable.items() if os.path.lexists(path)},
            partials={artifact for artifact, path in usable.items() if index and index.find(path)},
            refused=refused,
        )


class ExportDownload:
    """The download of the artifacts of one export. An artifact that fails does not stop the others.

    Args:
        export: The export.
        urls: Its URLs.
        plan: The artifacts to download, and their paths.
        context: The state of the client.
    """

    def __init__(
        self, export: Export, urls: DownloadUrls, plan: DownloadPlan, context: ClientContext
    ) -> None:
        self._export_id = export.id
        self._urls = urls
        self._plan = plan
        self._context = context
        self._offered = [url for artifact in plan.artifacts if (url := urls.get(artifact))]
        self._targets = {url.artifact: plan.target(export, url.artifact) for url in self._offered}
        self._semaphore = asyncio.Semaphore(plan.concurrency)
        self._tasks: list[asyncio.Task[_Outcome]] = []
        self._on_disk = _OnDisk()
        self._fatal: DestinationError | None = None

    async def run(self) -> DownloadReport:
        """Download the artifacts.

        Returns:
            The report. Its `error` is set if the export was deleted before all artifacts were received.
        """
        try:
            await self._scan()
        except DiskError as error:
            return self._report([self._failed(url, self._refused(url, error)) for url in self._offered])
        async with asyncio.TaskGroup() as group:
            self._tasks += [group.create_task(self._download(url)) for url in self._offered]
        return self._report(
            [
                self._stopped(url, self._fatal) if self._fatal and task.cancelled() else task.result()
                for url, task in zip(self._offered, self._tasks, strict=True)
            ]
        )

    def _report(self, outcomes: list[_Outcome]) -> DownloadReport:
        offered = {url.artifact for url in self._offered}
        return DownloadReport(
            export_id=self._export_id,
            files=ByArtifact(outcome for outcome in outcomes if isinstance(outcome, DownloadedFile)),
            missing=tuple(artifact for artifact in self._plan.artifacts if artifact not in offered),
            failures=ByArtifact(outcome for outcome in outcomes if isinstance(outcome, DownloadError)),
            error=next((outcome for outcome in outcomes if isinstance(outcome, ExportGoneError)), None),
        )

    async def _scan(self) -> None:
        plan = self._plan
        targets = {artifact: path for artifact, path in self._targets.items() if artifact not in plan.absent}
        index, root = plan.options.partial_index, plan.directory
        is_flat = all(path.parent == root for path in targets.values())
        if targets and not (plan.options.overwrite and index is None and is_flat):
            self._on_disk = await self._context.disk.run_short(root, _OnDisk.scan, root, targets, index)

    async def _download(self, url: DownloadUrl) -> _Outcome:
        if (refused := self._on_disk.refused.get(url.artifact)) is not None:
            error = DiskError(refused, self._targets[url.artifact])
            return self._failed(url, self._refused(url, error))
        failure: _Failure
        async with self._semaphore:
            try:
                return await self._artifact_download(url).run()
            except DiskError as error:
                failure = self._refused(url, error)
            except (DownloadError, ExportGoneError) as error:
                failure = error
        if isinstance(failure, DestinationError) and failure.errno in FATAL_ERRNOS:
            self._stop_others(failure)
        return self._failed(url, failure)

    def _artifact_download(self, url: DownloadUrl) -> ArtifactDownload:
        overwrite = self._plan.overwrites(url.artifact)
        options = self._plan.options
        return ArtifactDownload(
            url=url,
            urls=self._urls,
            target=self._targets[url.artifact],
            root=self._plan.directory,
            context=self._context,
            options=attrs.evolve(options, overwrite=True) if overwrite else options,
            on_progress=self._plan.on_progress,
            exists=url.artifact in self._on_disk.files and not overwrite,
            has_partial=url.artifact in self._on_disk.partials,
        )

    def _refused(self, url: DownloadUrl, error: DiskError) -> DestinationError:
        return destination_error(error, export_id=url.export_id, artifact=url.artifact)

    def _stop_others(self, failure: DestinationError) -> None:
        self._fatal = failure
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    def _stopped(self, url: DownloadUrl, cause: DestinationError) -> _Failure:
        stopped = DestinationError(
            f"cancelled: the destination is full or read-only: {cause.args[0]}",
            export_id=url.export_id,
            artifact=url.artifact,
            filename=cause.filename,
            errno=cause.errno,
        )
        return self._failed(url, stopped)

    def _failed(self, url: DownloadUrl, failure: _Failure) -> _Failure:
        if self._plan.on_progress is not None:
            event = ProgressEvent(
                kind=ProgressKind.FAILED, export_id=url.export_id, artifact=url.artifact, error=failure
            )
            self._plan.on_progress(event)
        return failure
