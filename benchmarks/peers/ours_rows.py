"""The rows of this package; the option `rows` or `row_batches` is the method."""

from __future__ import annotations

import asyncio

from job import Job, given, timed

from packagex_async import AsyncPackageX, Export


async def main(job: Job, expected: int, method: str) -> None:
    """Read all rows and count them."""
    (file,) = job.files
    export = Export(id=file.export_id, status="completed", **{f"{file.artifact}_url": file.url})  # type: ignore[arg-type]
    count = 0
    async with AsyncPackageX("key", base_url=job.base_url) as px:
        if method == "rows":
            async for _ in px.exports.rows(export, file.artifact):  # type: ignore[arg-type]
                count += 1
        else:
            async for batch in px.exports.row_batches(export, file.artifact):  # type: ignore[arg-type]
                count += len(batch)
    if count != expected:
        raise SystemExit(f"{count} rows instead of {expected}")


if __name__ == "__main__":
    job, _, (expected, method) = given()
    with timed():
        asyncio.run(main(job, int(expected), method))
