"""This package on a Dask cluster of this machine, in batches of 50 exports."""

from __future__ import annotations

import asyncio
import importlib
import os
from pathlib import Path

from distributed import Client, LocalCluster
from job import Job, given, timed

from packagex_async.integrations.dask import download_all

BATCH_SIZE = 50


async def main(job: Job, folder: Path) -> None:
    """Run the job on two workers; starting them and importing this package there is not measured."""
    os.environ["PX_API_KEY"] = "key"
    async with (
        LocalCluster(
            n_workers=2, threads_per_worker=4, processes=True, asynchronous=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        await client.run(importlib.import_module, "packagex_async.integrations._dask.worker")
        await client.run(importlib.import_module, "packagex_async._sync.runner")
        with timed():
            async for report in download_all(
                client, folder, base_url=job.base_url, batch_size=BATCH_SIZE, concurrency=job.workers
            ):
                report.raise_for_failures()


if __name__ == "__main__":
    job, folder, _ = given()
    asyncio.run(main(job, folder))
