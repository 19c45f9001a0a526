"""One export: its artifacts side by side."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import attrs

from packagex_async._context import ClientContext
from packagex_async._download.artifact import ArtifactDownload
from packagex_async._download.options import DownloadOptions
from packagex_async._files.disk_errors import DiskError, destination_error
from packagex_async._files.layouts import flat
from packagex_async._files.operations import FATAL_ERRNOS
from packagex_async._files.paths import require_directories
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._storage.download_urls import DownloadUrls
from packagex_async._storage.storage_errors import DownloadUrl
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

_Outcome = DownloadedFile | DownloadError | ExportGoneError
_Failure = TypeVar("_Failure", bound=DownloadError | ExportGoneError)

_UNKNOWN: Mapping[Artifact, Path] = MappingProxyType({})


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DownloadPlan:
    """What a caller wants downloaded, and how.

    Attributes:
        directory: The folder the files go to.
        artifacts: Which artifacts, in the order of `Artifact`.
        concurrency: How many of them at a time.
        demands: What is demanded of each file.
        on_progress: Is told of every step, if anybody wants to know.
        targets: Where they go, where that is known already.
        replaced: Those whose files are replaced, whatever the demands say.
        vacant: Those of which nothing is there yet, not even a part: they are not looked for again.
    """

    directory: Path
    artifacts: tuple[Artifact, ...]
    concurrency: int
    demands: DownloadOptions
    on_progress: OnProgress | None
    targets: Mapping[Artifact, Path] = _UNKNOWN
    replaced: Set[Artifact] = frozenset()
    vacant: Set[Artifact] = frozenset()

    def target(self, export: Export, artifact: Artifact) -> Path:
        """Where `artifact` of `export` goes."""
        return self.targets.get(artifact) or self.directory / flat(export, artifact)

    def overwrites(self, artifact: Artifact) -> bool:
        """Whether a file of `artifact` that is there is replaced."""
        return self.demands.overwrite or artifact in self.replaced


def chosen(artifacts: Iterable[Artifact | str] | str | None) -> tuple[Artifact, ...]:
    """The artifacts a caller names, all four when none is named.

    Raises:
        ConfigurationError: One that no export has, or an empty choice.
    """
    if artifacts is None:
        return tuple(Artifact)
    names = {artifacts} if isinstance(artifacts, str) else set(artifacts)
    if not names or not names <= set(Artifact):
        given = ", ".join(sorted(map(repr, map(str, names)))) or "none"
        raise ConfigurationError(f"artifacts must be some of {', '.join(Artifact)}, not {given}")
    return tuple(artifact for artifact in Artifact if artifact in names)


async def download_artifacts(
    export: Export, links: DownloadUrls, order: DownloadPlan, context: ClientContext
) -> DownloadReport:
    """Bring the ordered artifacts of `export` to disk; one that fails does not stop the others.

    When the export was deleted before all of them had arrived, that is the report's `error`.
    """
    missing = tuple(artifact for artifact in order.artifacts if links.link(artifact) is None)
    batch = ExportDownload(export, links, order, context)
    outcomes = await batch.run()
    return DownloadReport(
        export_id=export.id,
        files=ByArtifact(outcome for outcome in outcomes if isinstance(outcome, DownloadedFile)),
        missing=missing,
        failures=ByArtifact(outcome for outcome in outcomes if isinstance(outcome, DownloadError)),
        error=next((outcome for outcome in outcomes if isinstance(outcome, ExportGoneError)), None),
    )


@attrs.frozen(eq=False, repr=False)
class _Seen:
    """What is on the disk.

    Attributes:
        occupied: The artifacts that have a file.
        left: Those of which an earlier run has left something.
        refused: Those whose directory must not be used, and why.
    """

    occupied: Set[Artifact] = frozenset()
    left: Set[Artifact] = frozenset()
    refused: Mapping[Artifact, OSError] = MappingProxyType({})


def _look(root: Path, targets: Mapping[Artifact, Path], leftovers: PartialIndex | None) -> _Seen:
    refused = {}
    for name, path in targets.items():
        try:
            require_directories(path.parent, root)
        except OSError as error:
            refused[name] = error
    usable = {name: path for name, path in targets.items() if name not in refused}
    return _Seen(
        occupied={name for name, path in usable.items() if os.path.lexists(path)},
        left={name for name, path in usable.items() if leftovers and leftovers.find(path)},
        refused=refused,
    )


def _refusal(link: DownloadUrl, error: DiskError) -> DestinationError:
    return destination_error(error, export_id=link.export_id, artifact=link.artifact)


class ExportDownload:
    """The transfers of one export."""

    def __init__(
        self, export: Export, links: DownloadUrls, order: DownloadPlan, context: ClientContext
    ) -> None:
        self._links = [link for artifact in order.artifacts if (link := links.link(artifact))]
        self._targets = {link.artifact: order.target(export, link.artifact) for link in self._links}
        self._source = links
        self._order = order
        self._context = context
        self._places = asyncio.Semaphore(order.concurrency)
        self._tasks: list[asyncio.Task[_Outcome]] = []
        self._seen = _Seen()
        self._hopeless: DestinationError | None = None

    async def run(self) -> list[_Outcome]:
        """What became of each artifact, in order."""
        try:
            await self._look_around()
        except DiskError as error:
            return [self._failed(link, _refusal(link, error)) for link in self._links]
        async with asyncio.TaskGroup() as group:
            self._tasks += [group.create_task(self._outcome(link)) for link in self._links]
        return [
            self._stopped(link, self._hopeless) if self._hopeless and task.cancelled() else task.result()
            for link, task in zip(self._links, self._tasks, strict=True)
        ]

    async def _look_around(self) -> None:
        targets = {name: path for name, path in self._targets.items() if name not in self._order.vacant}
        leftovers = self._order.demands.leftovers
        root = self._order.directory
        is_flat = all(path.parent == root for path in targets.values())
        if targets and not (self._order.demands.overwrite and leftovers is None and is_flat):
            self._seen = await self._context.disk.run_short(root, _look, root, targets, leftovers)

    def _transfer(self, link: DownloadUrl) -> ArtifactDownload:
        overwrite = self._order.overwrites(link.artifact)
        demands = self._order.demands
        return ArtifactDownload(
            link=link,
            links=self._source,
            target=self._targets[link.artifact],
            root=self._order.directory,
            context=self._context,
            demands=attrs.evolve(demands, overwrite=True) if overwrite else demands,
            emit=self._order.on_progress,
            occupied=link.artifact in self._seen.occupied and not overwrite,
            left=link.artifact in self._seen.left,
        )

    async def _outcome(self, link: DownloadUrl) -> _Outcome:
        if (refused := self._seen.refused.get(link.artifact)) is not None:
            error = DiskError(refused, self._targets[link.artifact])
            return self._failed(link, _refusal(link, error))
        transfer = self._transfer(link)
        async with self._places:
            try:
                return await transfer.run()
            except (DownloadError, ExportGoneError) as error:
                failure = error
        if isinstance(failure, DestinationError) and failure.errno in FATAL_ERRNOS:
            self._stop_others(failure)
        return self._failed(link, failure)

    def _stop_others(self, failure: DestinationError) -> None:
        self._hopeless = failure
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    def _stopped(self, link: DownloadUrl, cause: DestinationError) -> DownloadError:
        stopped = DestinationError(
            f"stopped, for the disk takes nothing more: {cause.args[0]}",
            export_id=link.export_id,
            artifact=link.artifact,
            filename=cause.filename,
            errno=cause.errno,
        )
        return self._failed(link, stopped)

    def _failed(self, link: DownloadUrl, failure: _Failure) -> _Failure:
        if self._order.on_progress is not None:
            self._order.on_progress(
                ProgressEvent(
                    kind=ProgressKind.FAILED, export_id=link.export_id, artifact=link.artifact, error=failure
                )
            )
        return failure
