"""The same loop with httpx, in the chunks that it gives."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import aiofiles
import httpx
from job import File, Job, parse_arguments, timed


async def fetch(client: httpx.AsyncClient, files: Iterable[File], folder: Path) -> None:
    """Fetch one file after another."""
    for file in files:
        async with client.stream("GET", file.url) as response:
            response.raise_for_status()
            async with aiofiles.open(folder / file.name, "wb") as target:
                async for chunk in response.aiter_bytes():
                    await target.write(chunk)


async def main(job: Job, folder: Path) -> None:
    """Do the job with one client, and workers that pull from one iterator."""
    files = iter(job.files)
    async with httpx.AsyncClient() as client, asyncio.TaskGroup() as group:
        for _ in range(job.workers):
            group.create_task(fetch(client, files, folder))


if __name__ == "__main__":
    job, folder, _ = parse_arguments()
    with timed():
        asyncio.run(main(job, folder))
