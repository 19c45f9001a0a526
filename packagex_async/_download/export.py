"""The download of one export: its artifacts, concurrently."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Set
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from packagex_async._buckets.bucket_error import BucketError, UploadLostError
from packagex_async._buckets.target_errors import TargetError, is_fatal, target_error
from packagex_async._context import ClientContext
from packagex_async._download.artifact import ArtifactDownload
from packagex_async._download.options import Download, DownloadOptions
from packagex_async._files.disk_errors import DiskError
from packagex_async._files.executor import FileExecutor
from packagex_async._files.layouts import flat
from packagex_async._files.operations import FATAL_ERRNOS
from packagex_async._partials.existing_files import ABSENT, ExistingFile, examine
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._partials.targets import FileTarget, Target
from packagex_async._storage.download_url import DownloadUrl
from packagex_async._storage.download_urls import DownloadUrls
from packagex_async.errors import DestinationError, DownloadError, ExportGoneError
from packagex_async.models import Artifact, Export
from packagex_async.report import (
    ByArtifact,
    DownloadReport,
    OnProgress,
    PlannedFile,
    PlanReason,
    ProgressEvent,
    ProgressKind,
    StoredFile,
)

if TYPE_CHECKING:
    from packagex_async._download.preview import DownloadPreview

_Failure = DownloadError | ExportGoneError
_Outcome = StoredFile | PlannedFile | _Failure

_UNKNOWN: Mapping[Artifact, Target] = MappingProxyType({})
_NO_REASONS: Mapping[Artifact, PlanReason] = MappingProxyType({})


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DownloadPlan:
    """The artifacts to download, and their paths.

    Attributes:
        directory: The directory of the files; `None` for a bucket.
        artifacts: The artifacts, in the order of `Artifact`.
        concurrency: The maximum number of artifacts that are downloaded at the same time.
        options: The requirements for each file.
        on_progress: Called at every step.
        targets: The targets of the artifacts, if they are known already. Those in a bucket always are.
        replaced: The artifacts whose targets are replaced, even without `overwrite`.
        existing: The existing targets, if they are known already. Those in a bucket always are.
        dry_run: Whether nothing is downloaded, and the report contains the planned files.
        reasons: The reasons of planned files, if they are known already.
    """

    directory: Path | None
    artifacts: tuple[Artifact, ...]
    concurrency: int
    options: DownloadOptions
    on_progress: OnProgress | None
    targets: Mapping[Artifact, Target] = _UNKNOWN
    replaced: Set[Artifact] = frozenset()
    existing: Mapping[Artifact, ExistingFile] | None = None
    dry_run: bool = False
    reasons: Mapping[Artifact, PlanReason] = _NO_REASONS

    def target(self, export: Export, artifact: Artifact, disk: FileExecutor) -> Target:
        """Return the target of `artifact`."""
        if (target := self.targets.get(artifact)) is not None:
            return target
        root = self.directory or Path()
        path = root / self.options.path_of(flat(export, artifact), artifact)
        return FileTarget(path, root, disk)

    def overwrites(self, artifact: Artifact) -> bool:
        """Return whether an existing file of `artifact` is replaced."""
        return self.options.overwrite or artifact in self.replaced


def _examine(
    targets: Mapping[Artifact, Path], root: Path, index: PartialIndex | None
) -> dict[Artifact, ExistingFile]:
    return {artifact: examine(path, root, index) for artifact, path in targets.items()}


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
        self._export = export
        self._urls = urls
        self._plan = plan
        self._context = context
        self._offered = [url for artifact in plan.artifacts if (url := urls.get(artifact))]
        self._targets = {
            url.artifact: plan.target(export, url.artifact, context.disk) for url in self._offered
        }
        self._semaphore = asyncio.Semaphore(plan.concurrency)
        self._tasks: list[asyncio.Task[_Outcome]] = []
        self._existing = plan.existing or {}
        self._fatal: DestinationError | None = None

    @property
    def size(self) -> int:
        """The number of artifacts that are downloaded."""
        return len(self._offered)

    async def run(self) -> DownloadReport[StoredFile]:
        """Download the artifacts.

        Returns:
            The report. Its `error` is set if the export was deleted before all artifacts were received.
        """
        try:
            await self._examine_targets()
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

    def _report(self, outcomes: list[_Outcome]) -> DownloadReport[StoredFile]:
        offered = {url.artifact for url in self._offered}
        return DownloadReport(
            export_id=self._export.id,
            export=self._export,
            files=ByArtifact(outcome for outcome in outcomes if isinstance(outcome, StoredFile)),
            missing=tuple(artifact for artifact in self._plan.artifacts if artifact not in offered),
            failures=ByArtifact(outcome for outcome in outcomes if isinstance(outcome, DownloadError)),
            planned=ByArtifact(outcome for outcome in outcomes if isinstance(outcome, PlannedFile)),
            error=next((outcome for outcome in outcomes if isinstance(outcome, ExportGoneError)), None),
        )

    async def _examine_targets(self) -> None:
        plan = self._plan
        if plan.existing is not None:
            return
        index, root = plan.options.partial_index, plan.directory or Path()
        paths = {
            name: target.path for name, target in self._targets.items() if isinstance(target, FileTarget)
        }
        is_flat = all(path.parent == root for path in paths.values())
        is_irrelevant = plan.options.overwrite and index is None and is_flat and not plan.dry_run
        if paths and not is_irrelevant:
            self._existing = await self._context.disk.run_short(root, _examine, paths, root, index)

    async def _download(self, url: DownloadUrl) -> _Outcome:
        existing = self._existing.get(url.artifact, ABSENT)
        if existing.refused is not None:
            error = DiskError(existing.refused, Path(self._targets[url.artifact].name))
            return self._failed(url, self._refused(url, error))
        failure: _Failure
        async with self._semaphore:
            try:
                if self._plan.dry_run:
                    return await self._preview(url, existing).run()
                with suppress(UploadLostError):
                    return await self._artifact_download(url, existing).run()
                # The bytes are lost, too. The other process removes abandoned uploads only once.
                return await self._artifact_download(url, existing).run()
            except TargetError as error:
                failure = self._refused(url, error)
            except (DownloadError, ExportGoneError) as error:
                failure = error
        if isinstance(failure, DestinationError) and is_fatal(failure):
            self._stop_others(failure)
        return self._failed(url, failure)

    def _artifact_download(self, url: DownloadUrl, existing: ExistingFile) -> Download:
        overwrite = self._plan.overwrites(url.artifact)
        options = self._plan.options
        arguments: dict[str, Any] = {
            "url": url,
            "urls": self._urls,
            "target": self._targets[url.artifact],
            "context": self._context,
            "options": attrs.evolve(options, overwrite=True) if overwrite else options,
            "on_progress": self._plan.on_progress,
            "exists": existing.exists and not overwrite,
            "has_partial": existing.has_partial,
        }
        if file_format := options.format_of(url.artifact):
            return file_format.new_download(export=self._export, **arguments)
        return ArtifactDownload(**arguments)

    def _preview(self, url: DownloadUrl, existing: ExistingFile) -> DownloadPreview:
        from packagex_async._download.preview import DownloadPreview

        overwrite = self._plan.overwrites(url.artifact)
        is_converted = self._plan.options.format_of(url.artifact) is not None
        return DownloadPreview(
            url=url,
            urls=self._urls,
            target=self._targets[url.artifact],
            context=self._context,
            options=self._plan.options,
            reason=self._plan.reasons.get(url.artifact, "changed" if existing.exists else "new"),
            exists=existing.exists and not (overwrite or is_converted),
        )

    def _refused(self, url: DownloadUrl, error: DiskError | BucketError) -> DestinationError:
        return target_error(error, export_id=url.export_id, artifact=url.artifact)

    def _stop_others(self, failure: DestinationError) -> None:
        self._fatal = failure
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    def _stopped(self, url: DownloadUrl, cause: DestinationError) -> _Failure:
        reason = "full or read-only" if cause.errno in FATAL_ERRNOS else "not available"
        stopped = DestinationError(
            f"cancelled: the destination is {reason}: {cause.args[0]}",
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
