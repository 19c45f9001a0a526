"""A simple loop of aiohttp's `iter_chunked` that writes each chunk with aiofiles."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import aiofiles
import aiohttp
from job import File, Job, given, timed

CHUNK = 64 * 1024
"""Bytes."""


async def fetch(session: aiohttp.ClientSession, wanted: Iterable[File], folder: Path) -> None:
    """Download one file after another."""
    for file in wanted:
        async with session.get(file.url) as response:
            response.raise_for_status()
            async with aiofiles.open(folder / file.name, "wb") as target:
                async for chunk in response.content.iter_chunked(CHUNK):
                    await target.write(chunk)


async def main(job: Job, folder: Path) -> None:
    """Run the job with one session, and workers that share one iterator."""
    wanted = iter(job.files)
    connector = aiohttp.TCPConnector(ssl=job.trust())
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        for _ in range(job.workers):
            group.create_task(fetch(session, wanted, folder))


if __name__ == "__main__":
    job, folder, _ = given()
    with timed():
        asyncio.run(main(job, folder))
