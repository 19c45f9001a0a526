"""This package; the options `bulk`, `parquet`, `segments=16`, `sha256` and `uvloop` select the variant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from job import Job, given, timed

from packagex_async import AsyncPackageX, Export

AT_FIRST_DOWNLOAD = ("packagex_async._download.plans", "packagex_async._parquet.requested")
AT_FIRST_BULK_DOWNLOAD = (
    "cattrs",
    "orjson",
    "packagex_async._listing.lister",
    "packagex_async._sync.runner",
    "packagex_async._watch.followed_exports",
    "packagex_async._watch.watcher",
)
"""Modules that the client imports at the first call. The other programs import everything at their start."""


def exports(job: Job) -> Iterator[Export]:
    """Return the exports as the API would return them."""
    for export_id, files in groupby(job.files, lambda file: file.export_id):
        urls = {f"{file.artifact}_url": file.url for file in files}
        yield Export(id=export_id, status="completed", **urls)  # type: ignore[arg-type]


async def fetch(
    px: AsyncPackageX,
    wanted: Iterable[Export],
    folder: Path,
    concurrency: int,
    digest: Literal["sha256"] | None,
    format: Literal["parquet"] | None,
    segments: int,
) -> None:
    """Download one export after another, each with `concurrency` artifacts at a time."""
    for export in wanted:
        await px.exports.download(
            export, folder, concurrency=concurrency, digest=digest, format=format, segments=segments
        )


async def main(job: Job, folder: Path, options: list[str]) -> None:
    """Run the job with one client."""
    digest: Literal["sha256"] | None = "sha256" if "sha256" in options else None
    format: Literal["parquet"] | None = "parquet" if "parquet" in options else None
    segments = next((int(text[9:]) for text in options if text.startswith("segments=")), 8)
    async with AsyncPackageX("key", base_url=job.base_url, ssl=job.trust()) as px:
        if "bulk" in options:
            async for report in px.exports.download_all(folder, concurrency=job.workers):
                report.raise_for_failures()
            return
        wanted = exports(job)
        # One export downloads its artifacts concurrently; of many exports, each worker downloads one.
        alone = len({file.export_id for file in job.files}) == 1
        workers, concurrency = (1, job.workers) if alone else (job.workers, 1)
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(fetch(px, wanted, folder, concurrency, digest, format, segments))


if __name__ == "__main__":
    job, folder, options = given()
    for name in AT_FIRST_DOWNLOAD + (AT_FIRST_BULK_DOWNLOAD if "bulk" in options else ()):
        import_module(name)
    run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run
    if "uvloop" in options:
        # Import only if needed, so that other runs do not pay for it.
        import uvloop

        run = uvloop.run
    with timed():
        run(main(job, folder, options))
