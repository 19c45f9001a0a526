"""obstore: the stream of a response, put into a bucket."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

from job import Job, given, timed
from obstore.store import HTTPStore, S3Store

CHUNK = 8 * 1024 * 1024
"""Bytes of a part, as in `Bucket`."""


async def main(job: Job, folder: Path) -> None:
    """Put one file after another."""
    source = HTTPStore.from_url(job.base_url, client_options={"allow_http": True})
    target = S3Store("bench", client_options={"allow_http": True})
    for file in job.files:
        answer = await source.get_async(urlsplit(file.url).path.lstrip("/"))
        await target.put_async(f"{folder.name}-{file.name}", answer.stream(min_chunk_size=CHUNK))


if __name__ == "__main__":
    job, folder, _ = given()
    with timed():
        asyncio.run(main(job, folder))
