"""Helpers for tests on Dask clusters."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from packagex_async import Artifact, DownloadReport
from packagex_async._files.layouts import SUFFIXES
from packagex_async.integrations.dask import download_all
from packagex_async.testing import Emulator

KEY = "px_canary_5dVq8zKe2mTn"
"""The key of all emulators, and of the workers."""

MANIFEST = "packagex-manifest.jsonl"


@contextmanager
def local_cluster(*, environment: dict[str, str] | None = None, **options: Any) -> Generator[Any, None, None]:
    """Provide a cluster of processes on this machine, whose workers have a key."""
    from distributed import LocalCluster

    with pytest.MonkeyPatch.context() as patch:
        for name, value in (environment or {"PX_API_KEY": KEY}).items():
            patch.setenv(name, value)
        defaults: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 2, "dashboard_address": ":0"}
        cluster = LocalCluster(**{**defaults, **options})
    with cluster:
        yield cluster


def open_client(cluster: Any) -> Any:
    """Return an asynchronous client of a cluster, for `async with`."""
    from distributed import Client

    return Client(cluster.scheduler_address, asynchronous=True)


def start(client: Any, destination: Any, server: Emulator, **options: Any) -> aclosing[Any]:
    """Start a job; return a context manager with its reports."""
    reports: AsyncGenerator[DownloadReport[Any], None] = download_all(
        client, destination, base_url=server.base_url, **options
    )
    return aclosing(reports)


async def collect(client: Any, destination: Any, server: Emulator, **options: Any) -> list[Any]:
    """Return all reports of a job."""
    async with start(client, destination, server, **options) as reports:
        return [report async for report in reports]


def add_exports(server: Emulator, count: int, **options: Any) -> list[str]:
    """Add exports with two artifacts each; return their ids."""
    values: dict[str, Any] = {"rows": 5, **options}
    return [server.add_export(**values).id for _ in range(count)]


def storage_requests(server: Emulator) -> int:
    """Return the number of requests to storage."""
    return sum(request.host == "storage" for request in server.requests)


def check_folder(folder: Path, server: Emulator) -> None:
    """Check that the folder has each artifact once and unchanged, one entry for each, and nothing else."""
    expected = {
        f"{export.id}{SUFFIXES[artifact]}": (export.id, artifact)
        for export in server.exports
        for artifact in (Artifact.JSON, Artifact.CSV)
    }
    assert {path.name for path in folder.iterdir()} == {*expected, MANIFEST}
    for name, (export_id, artifact) in expected.items():
        assert (folder / name).read_bytes() == server.content(export_id, artifact), name
    entries = [json.loads(line) for line in (folder / MANIFEST).read_text().splitlines()]
    files = Counter((entry["export_id"], entry["artifact"]) for entry in entries if entry["path"])
    assert files == Counter((export_id, artifact.value) for export_id, artifact in expected.values())


async def scheduler_state(client: Any) -> tuple[int, list[str]]:
    """Return the number of tasks, and what jobs have left in the scheduler and the workers."""

    def find(dask_scheduler: Any = None, dask_worker: Any = None) -> list[str]:
        server = dask_scheduler or dask_worker
        names = [*server.plugins, *server.handlers, *getattr(server, "worker_plugins", ())]
        return [name for name in names if "packagex" in str(name)]

    def count(dask_scheduler: Any) -> int:
        return len(dask_scheduler.tasks)

    found = await client.run(find)
    left = [name for names in found.values() for name in names]
    return await client.run_on_scheduler(count), left + await client.run_on_scheduler(find)
