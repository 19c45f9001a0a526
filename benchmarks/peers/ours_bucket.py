"""This package, into a bucket: one artifact after another, or all exports into memory with `bulk`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from job import Job, given, timed
from ours import exports

from packagex_async import AsyncPackageX, Bucket


async def main(job: Job, folder: Path, options: list[str]) -> None:
    """Run the job with one client."""
    async with AsyncPackageX("key", base_url=job.base_url) as px:
        if "bulk" in options:
            async for report in px.exports.download_all(Bucket("memory://"), concurrency=job.workers):
                report.raise_for_failures()
            return
        bucket = Bucket("s3://bench", prefix=f"{folder.name}-")
        for export in exports(job):
            await px.exports.download(export, bucket)


if __name__ == "__main__":
    job, folder, options = given()
    with timed():
        asyncio.run(main(job, folder, options))
