"""Keys, signatures and paths are nowhere in what Dask stores, logs or displays."""

from __future__ import annotations

import importlib
import logging
import pickle
from pathlib import Path
from typing import Any

import pytest

from packagex_async.testing import Emulator, Status
from tests.dask_cluster.support import KEY, add_exports, local_cluster, open_client, start

pytest.importorskip("distributed")
pytestmark = pytest.mark.dask


def scheduler_data(dask_scheduler: Any) -> list[bytes]:
    """Return what the scheduler knows of tasks, and its events, logs and transitions."""
    tasks = [
        (
            task.key,
            repr(task.run_spec),
            pickle.dumps(task.run_spec),
            repr(task.annotations),
            task.exception_text,
        )
        for task in dask_scheduler.tasks.values()
    ]
    everything = (
        tasks,
        list(dask_scheduler.transition_log),
        dask_scheduler.get_logs(),
        {name: list(topic.events) for name, topic in dask_scheduler._broker._topics.items()},
    )
    return [repr(everything).encode(), *(task[2] for task in tasks)]


def worker_data(dask_worker: Any) -> tuple[list[bytes], list[bytes]]:
    """Return the tasks and results of a worker, its logs and transitions; and its files."""
    state = dask_worker.state
    tasks = [(key, repr(task.run_spec)) for key, task in state.tasks.items()]
    results = [(key, repr(value)) for key, value in dask_worker.data.items()]
    everything = tasks, results, list(state.log), list(state.stimulus_log), dask_worker.get_logs()
    folder = Path(dask_worker.local_directory, "storage")
    spilled = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    data = [
        repr(everything).encode(),
        *(pickle.dumps(value) for value in dask_worker.data.values()),
        *(pickle.dumps(task.run_spec) for task in state.tasks.values()),
    ]
    return data, spilled


async def test_nothing_is_visible(server: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not while tasks run or wait, with results in memory and on disk, and with failures of every kind."""
    caplog.set_level(logging.DEBUG)
    folder = tmp_path / "canary-folder"
    folder.mkdir()
    ids = add_exports(server, 60)
    (folder / f"{ids[0]}.csv").write_text("mine")
    server.inject(Status(404, on="api", export_id=ids[1]), times=None)
    server.inject(Status(403, on="storage", export_id=ids[2]), times=None)
    server.inject(Status(500, on="storage", export_id=ids[3]), times=2)
    found: list[bytes] = []
    spilled: list[bytes] = []
    number = failed = 0
    # No result fits into memory, so all are written to disk.
    config: Any = importlib.import_module("dask").config
    with config.set({"distributed.worker.memory.target": 1e-9}), local_cluster() as cluster:
        async with open_client(cluster) as client:
            async with start(client, folder, server, batch_size=3) as reports:
                async for report in reports:
                    failed += not report.ok
                    if number % 10 == 0:
                        found += await client.run_on_scheduler(scheduler_data)
                        for data, files in (await client.run(worker_data)).values():
                            found += data
                            spilled += files
                    number += 1
            found += await client.run_on_scheduler(scheduler_data)
            found.append(repr(await client.get_worker_logs()).encode())
            found.append(repr(await client.get_task_stream()).encode())
    assert (number, failed) == (60, 3)
    everything = b"\n".join(found + spilled)
    assert b"packagex-download" in everything
    assert any(export_id.encode() in everything for export_id in ids)
    assert spilled
    signed = [request.target for request in server.requests if request.host == "storage"]
    secrets = [KEY, "canary", "X-Px-Signature", *signed]
    assert len(signed) > 100
    assert [secret for secret in secrets if secret.encode() in everything] == []
    assert KEY not in caplog.text
