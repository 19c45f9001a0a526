"""The same loop with httpx, in chunks as they arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import aiofiles
import httpx
from job import File, Job, given, timed


async def fetch(client: httpx.AsyncClient, wanted: Iterable[File], folder: Path) -> None:
    """Download one file after another."""
    for file in wanted:
        async with client.stream("GET", file.url) as response:
            response.raise_for_status()
            async with aiofiles.open(folder / file.name, "wb") as target:
                async for chunk in response.aiter_bytes():
                    await target.write(chunk)


async def main(job: Job, folder: Path) -> None:
    """Run the job with one client, and workers that share one iterator."""
    wanted = iter(job.files)
    async with httpx.AsyncClient() as client, asyncio.TaskGroup() as group:
        for _ in range(job.workers):
            group.create_task(fetch(client, wanted, folder))


if __name__ == "__main__":
    job, folder, _ = given()
    with timed():
        asyncio.run(main(job, folder))
