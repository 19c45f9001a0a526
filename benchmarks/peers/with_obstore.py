"""obstore: the network in Rust, the files written from Python in blocks of a mebibyte."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from job import File, Job, parse_arguments, timed
from obstore.store import HTTPStore

BLOCK = 1024 * 1024
"""Bytes."""


async def fetch(store: HTTPStore, files: Iterable[File], folder: Path) -> None:
    """Fetch one file after another."""
    for file in files:
        answer = await store.get_async(urlsplit(file.url).path.lstrip("/"))
        with (folder / file.name).open("wb") as target:
            async for block in answer.stream(min_chunk_size=BLOCK):
                target.write(block)


async def main(job: Job, folder: Path) -> None:
    """Do the job with one store, and workers that pull from one iterator."""
    files = iter(job.files)
    store = HTTPStore.from_url(job.base_url, client_options={"allow_http": True})
    async with asyncio.TaskGroup() as group:
        for _ in range(job.workers):
            group.create_task(fetch(store, files, folder))


if __name__ == "__main__":
    job, folder, _ = parse_arguments()
    with timed():
        asyncio.run(main(job, folder))
