"""ijson with its fastest backend, on a stream of this package."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator

from job import Job, given, timed

from packagex_async import AsyncPackageX, Export, ExportStatus

ijson = importlib.import_module("ijson.backends.yajl2_c")


class Reader:
    """An asynchronous file with the chunks of a stream."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks

    async def read(self, size: int) -> bytes:
        """Return the next chunk, or nothing at the end."""
        return await anext(self._chunks, b"") if size else b""


async def main(job: Job, expected: int) -> None:
    """Read all records and count them."""
    (file,) = job.files
    export = Export(id=file.export_id, status=ExportStatus.COMPLETED, json_url=file.url)
    count = 0
    async with AsyncPackageX("key", base_url=job.base_url) as px, px.exports.stream(export, "json") as chunks:
        async for _ in ijson.items_async(Reader(chunks), "item", use_float=True):
            count += 1
    if count != expected:
        raise SystemExit(f"{count} records instead of {expected}")


if __name__ == "__main__":
    job, _, (expected,) = given()
    with timed():
        asyncio.run(main(job, int(expected)))
