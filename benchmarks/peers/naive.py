"""The loop that everybody writes first: aiohttp's `iter_chunked`, each piece written through aiofiles."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import aiofiles
import aiohttp
from job import File, Job, parse_arguments, timed

CHUNK = 64 * 1024
"""Bytes."""


async def fetch(session: aiohttp.ClientSession, files: Iterable[File], folder: Path) -> None:
    """Fetch one file after another."""
    for file in files:
        async with session.get(file.url) as response:
            response.raise_for_status()
            async with aiofiles.open(folder / file.name, "wb") as target:
                async for chunk in response.content.iter_chunked(CHUNK):
                    await target.write(chunk)


async def main(job: Job, folder: Path) -> None:
    """Do the job with one session, and workers that pull from one iterator."""
    files = iter(job.files)
    connector = aiohttp.TCPConnector(ssl=job.trust())
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        for _ in range(job.workers):
            group.create_task(fetch(session, files, folder))


if __name__ == "__main__":
    job, folder, _ = parse_arguments()
    with timed():
        asyncio.run(main(job, folder))
