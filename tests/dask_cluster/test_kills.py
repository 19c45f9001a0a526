"""Processes of a cluster that are killed: a worker, all workers, the client process, the scheduler."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from packagex_async import ConnectionFailedError, PackageXError
from packagex_async.testing import Emulator, Trickle
from tests.dask_cluster.support import (
    KEY,
    add_exports,
    check_folder,
    collect,
    local_cluster,
    open_client,
    scheduler_state,
    start,
    storage_requests,
)
from tests.faults.storage_server import yield_to_event_loop

pytest.importorskip("distributed")
pytestmark = pytest.mark.dask

THREADS = 2


def run_python(code: str, *arguments: Any) -> subprocess.Popen[bytes]:
    """Run code in another Python process, which has the key."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PX_API_KEY": KEY})


async def worker_processes(client: Any) -> list[int]:
    """Return the process ids of the workers."""
    return sorted((await client.run(os.getpid)).values())


async def test_killed_worker(server: Emulator, tmp_path: Path) -> None:
    """Its batches are repeated: all reports, files and entries exist once, with few repeated requests."""
    ids = add_exports(server, 200)
    with local_cluster(threads_per_worker=THREADS) as cluster:
        async with open_client(cluster) as client:
            victim, _ = await worker_processes(client)
            reports: list[Any] = []
            async with start(client, tmp_path, server, batch_size=16) as found:
                async for report in found:
                    if len(reports) == 20:
                        os.kill(victim, signal.SIGKILL)
                    reports.append(report)
    assert sorted(report.export_id for report in reports) == sorted(ids)
    assert all(report.ok for report in reports)
    check_folder(tmp_path, server)
    assert 400 <= storage_requests(server) <= 400 + 4 * THREADS


async def test_worker_killed_in_the_middle_of_files(server: Emulator, tmp_path: Path) -> None:
    """Its partial files are continued or removed by the worker that repeats the batch."""
    add_exports(server, 12, content={"json": b"[]", "csv": b"name\n" * 500_000})
    server.inject(Trickle(block=100_000, delay=0.01), times=None)
    with local_cluster(threads_per_worker=THREADS) as cluster:
        async with open_client(cluster) as client:
            victim, _ = await worker_processes(client)
            async with start(client, tmp_path, server, batch_size=4) as found:
                reports = asyncio.create_task(anext(found))
                while not list(tmp_path.glob(".*.part")):
                    await yield_to_event_loop()
                os.kill(victim, signal.SIGKILL)
                assert (await reports).ok
                assert all([report.ok async for report in found])
    check_folder(tmp_path, server)


async def test_batch_that_kills_every_worker(server: Emulator, tmp_path: Path) -> None:
    """Its exports have an error, and a second run downloads them."""
    config: Any = importlib.import_module("dask").config
    ids = add_exports(server, 3)
    slow = Trickle(block=10, delay=0.01)
    server.inject(slow, times=2)
    no_retries = config.set({"distributed.scheduler.allowed-failures": 0})
    with no_retries, local_cluster(n_workers=1) as cluster:
        async with open_client(cluster) as client:
            (victim,) = await worker_processes(client)
            async with start(client, tmp_path, server) as found:
                first = asyncio.create_task(anext(found))
                while not storage_requests(server):
                    await yield_to_event_loop()
                os.kill(victim, signal.SIGKILL)
                reports = [await first, *[report async for report in found]]
            assert {report.export_id for report in reports} == {*ids}
            for report in reports:
                assert type(report.error) is PackageXError
                assert "1 worker died while it downloaded the batch" in str(report.error)
            await client.wait_for_workers(1)
            assert all(report.ok for report in await collect(client, tmp_path, server))
    check_folder(tmp_path, server)


CLIENT = """
import asyncio, sys
from distributed import Client
from packagex_async.integrations.dask import download_all

async def main():
    address, folder, base_url = sys.argv[1:]
    async with Client(address, asynchronous=True) as client:
        async for report in download_all(client, folder, base_url=base_url, batch_size=8):
            print(report.export_id, flush=True)

asyncio.run(main())
"""


async def test_killed_client_process(
    process_cluster: Any, process_client: Any, server: Emulator, tmp_path: Path
) -> None:
    """The job ends on the cluster, and a second run completes the folder."""
    add_exports(server, 200)
    process = run_python(CLIENT, process_cluster.scheduler_address, tmp_path, server.base_url)
    assert process.stdout is not None
    await asyncio.to_thread(process.stdout.readline)
    process.kill()
    process.stdout.close()
    process.wait()
    while (await scheduler_state(process_client)) != (0, []):
        pass
    started = storage_requests(server)
    assert started < 400
    reports = await collect(process_client, tmp_path, server)
    assert len(reports) == 200
    check_folder(tmp_path, server)
    assert storage_requests(server) <= 400 + 4 * 2 * THREADS


SCHEDULER = "from distributed.cli.dask_scheduler import main; main()"
WORKER = "from distributed.cli.dask_worker import main; main()"


async def test_killed_scheduler(server: Emulator, tmp_path: Path) -> None:
    """The job ends with a clear error."""
    from distributed import Client

    add_exports(server, 200)
    file = tmp_path / "scheduler.json"
    address = ("--scheduler-file", file)
    scheduler = run_python(SCHEDULER, *address, "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    worker = run_python(WORKER, *address, "--no-nanny", "--no-dashboard", "--death-timeout", "30")
    try:
        new_client: Any = Client
        async with new_client(scheduler_file=str(file), asynchronous=True, timeout=30) as client:
            await client.wait_for_workers(1)
            async with start(client, tmp_path / "exports", server, batch_size=4) as reports:
                await anext(reports)
                scheduler.kill()
                with pytest.raises(ConnectionFailedError, match="Dask"):
                    async for _ in reports:
                        pass
            # Closing the client does not wait for the scheduler.
            client._timeout = 0
    finally:
        for process in (worker, scheduler):
            process.kill()
            process.communicate()
