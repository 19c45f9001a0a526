"""obstore: network in Rust, files written from Python in blocks of 1 MiB."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from job import File, Job, given, timed
from obstore.store import HTTPStore

BLOCK = 1024 * 1024
"""Bytes."""


async def fetch(store: HTTPStore, wanted: Iterable[File], folder: Path) -> None:
    """Download one file after another."""
    for file in wanted:
        answer = await store.get_async(urlsplit(file.url).path.lstrip("/"))
        with (folder / file.name).open("wb") as target:
            async for block in answer.stream(min_chunk_size=BLOCK):
                target.write(block)


async def main(job: Job, folder: Path) -> None:
    """Run the job with one store, and workers that share one iterator."""
    wanted = iter(job.files)
    if job.authority is not None:
        # obstore reads the trusted certificates from this file; it has no option for them.
        os.environ["SSL_CERT_FILE"] = job.authority
    store = HTTPStore.from_url(job.base_url, client_options={"allow_http": True})
    async with asyncio.TaskGroup() as group:
        for _ in range(job.workers):
            group.create_task(fetch(store, wanted, folder))


if __name__ == "__main__":
    job, folder, _ = given()
    with timed():
        asyncio.run(main(job, folder))
    sys.stdout.flush()
    # A thread of obstore may abort the process while the interpreter exits.
    os._exit(0)
