"""One export: its artifacts side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import attrs

from packagex_async._names import artifact_name
from packagex_async._storage import Link
from packagex_async._transfer import Tools, Transfer
from packagex_async.errors import ConfigurationError, DownloadError
from packagex_async.models import Artifact, Export
from packagex_async.report import (
    ByArtifact,
    DownloadedFile,
    DownloadReport,
    OnProgress,
    ProgressEvent,
    ProgressKind,
)


@attrs.frozen(kw_only=True)
class Order:
    """What a caller wants downloaded, and how.

    Attributes:
        directory: The folder the files go to.
        artifacts: Which artifacts, in the order of `Artifact`.
        concurrency: How many of them at a time.
        overwrite: Whether to replace files that are there already.
        sha256: Whether to compute each file's SHA-256.
        on_progress: Is told of every step.
    """

    directory: Path
    artifacts: tuple[Artifact, ...]
    concurrency: int
    overwrite: bool
    sha256: bool
    on_progress: OnProgress


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


async def download_artifacts(export: Export, order: Order, tools: Tools) -> DownloadReport:
    """Bring the ordered artifacts of `export` to disk; one that fails does not stop the others."""
    links = [
        Link(export_id=export.id, artifact=artifact, url=url)
        for artifact in order.artifacts
        if (url := export.url(artifact))
    ]
    places = asyncio.Semaphore(order.concurrency)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_outcome(link, order, tools, places)) for link in links]
    outcomes = [task.result() for task in tasks]
    return DownloadReport(
        export_id=export.id,
        files=ByArtifact(outcome for outcome in outcomes if isinstance(outcome, DownloadedFile)),
        missing=tuple(artifact for artifact in order.artifacts if not export.url(artifact)),
        failures=ByArtifact(outcome for outcome in outcomes if isinstance(outcome, DownloadError)),
    )


async def _outcome(
    link: Link, order: Order, tools: Tools, places: asyncio.Semaphore
) -> DownloadedFile | DownloadError:
    transfer = Transfer(
        link=link,
        target=order.directory / artifact_name(link.export_id, link.artifact),
        tools=tools,
        overwrite=order.overwrite,
        sha256=order.sha256,
        emit=order.on_progress,
    )
    async with places:
        try:
            return await transfer.run()
        except DownloadError as error:
            failure = error
    order.on_progress(
        ProgressEvent(
            kind=ProgressKind.FAILED, export_id=link.export_id, artifact=link.artifact, error=failure
        )
    )
    return failure
