"""Jobs on a cluster: options, destinations and reports."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from packagex_async import (
    Bucket,
    ExportFailedError,
    ExportNotReadyError,
    verify_directory,
)
from packagex_async.testing import Emulator, Status
from tests.dask_cluster.support import (
    add_exports,
    check_folder,
    collect,
    local_cluster,
    open_client,
    scheduler_state,
    start,
    storage_requests,
)

pytest.importorskip("distributed")
pytestmark = pytest.mark.dask


async def test_all_exports(client: Any, server: Emulator, tmp_path: Path) -> None:
    """Each export has one report; a second run keeps all files, and only lists."""
    ids = add_exports(server, 50)
    reports = await collect(client, tmp_path, server, batch_size=8)
    assert sorted(report.export_id for report in reports) == sorted(ids)
    assert all(report.ok and not file.kept for report in reports for file in report.files)
    assert {file.path for report in reports for file in report.files} <= {*tmp_path.iterdir()}
    check_folder(tmp_path, server)
    server.requests.clear()
    reports = await collect(client, tmp_path, server)
    assert sorted(report.export_id for report in reports) == sorted(ids)
    assert all(file.kept for report in reports for file in report.files)
    assert {request.target.partition("?")[0] for request in server.requests} == {"/v1/exports"}
    check_folder(tmp_path, server)
    async for checked in verify_directory(tmp_path):
        assert checked.state == "exact"
    assert (await scheduler_state(client))[1] == []


async def test_exports_that_cannot_be_downloaded(client: Any, server: Emulator, tmp_path: Path) -> None:
    """They are reports with an error, and no other export is affected."""
    good, gone = add_exports(server, 2)
    failed = server.add_export(status="failed").id
    server.update_export(server.add_export(status="queued").id, status="queued")
    server.inject(Status(404, on="api", export_id=gone), times=None)
    reports = {report.export_id: report for report in await collect(client, tmp_path, server)}
    assert reports[good].ok
    assert isinstance(reports[failed].error, ExportFailedError)
    assert reports[gone].error.export_id == gone
    assert sum(isinstance(report.error, ExportNotReadyError) for report in reports.values()) == 1


async def test_failed_artifact(client: Any, server: Emulator, tmp_path: Path) -> None:
    """Its error names the path of this process."""
    (export_id,) = add_exports(server, 1)
    (tmp_path / f"{export_id}.csv").write_text("mine")
    (report,) = await collect(client, tmp_path, server)
    error = report.failures["csv"]
    assert error.filename == str(tmp_path / f"{export_id}.csv")
    assert error.filename in str(error)
    assert report.files["json"].path == tmp_path / f"{export_id}.json"


async def test_bucket(client: Any, server: Emulator, tmp_path: Path) -> None:
    """Workers write into a bucket; the files have keys and URLs."""
    store = pytest.importorskip("obstore.store")
    (export_id,) = add_exports(server, 1)
    bucket = Bucket(store.LocalStore(tmp_path), prefix="eu-")
    (report,) = await collect(client, bucket, server)
    assert report.files["csv"].key == f"eu-{export_id}.csv"
    assert (tmp_path / f"eu-{export_id}.csv").read_bytes() == server.content(export_id, "csv")
    (report,) = await collect(client, bucket, server)
    assert all(file.kept for file in report.files)


async def test_options(client: Any, server: Emulator, tmp_path: Path) -> None:
    """Options of the listing and of downloads have the same effect as in one process."""
    export_id = server.add_export(resource="shipment", rows=7).id
    add_exports(server, 2)
    reports = await collect(
        client,
        tmp_path,
        server,
        resource="shipment",
        layout="folders",
        artifacts=iter(["csv", "json"]),
        exclude=iter(["*.json"]),
        count_rows=True,
    )
    assert [(report.export_id, [file.rows for file in report.files]) for report in reports] == [
        (export_id, [7])
    ]
    assert (tmp_path / export_id / f"{export_id}.csv").exists()


async def test_dry_run(client: Any, server: Emulator, tmp_path: Path) -> None:
    """Nothing is written, and the reports have the planned files with their paths."""
    (export_id,) = add_exports(server, 1)
    (report,) = await collect(client, tmp_path / "new", server, dry_run=True, artifacts="csv")
    (planned,) = report.planned
    assert planned.path == tmp_path / "new" / f"{export_id}.csv"
    assert planned.size == len(server.content(export_id, "csv"))
    assert not (tmp_path / "new").exists()


async def test_parquet(client: Any, server: Emulator, tmp_path: Path) -> None:
    """A type of a column that no artifact has is an error at the end, as in one process."""
    pytest.importorskip("pyarrow")
    from packagex_async import ConfigurationError

    (export_id,) = add_exports(server, 1)
    with pytest.raises(ConfigurationError, match="no artifact has the column 'missing'"):
        await collect(client, tmp_path, server, format="parquet", types={"missing": "int64"})
    assert (tmp_path / f"{export_id}.parquet").exists()


async def test_wait(client: Any, server: Emulator, tmp_path: Path) -> None:
    """Exports in progress are polled in this process, and then sent."""
    export_id = server.add_export(status="processing", rows=1).id
    waiting: list[Any] = []
    (report,) = await collect(client, tmp_path, server, wait=True, on_wait=waiting.append)
    assert report.ok
    assert (waiting[0], waiting[-1]) == ((export_id,), ())


async def test_follow(client: Any, server: Emulator, tmp_path: Path) -> None:
    """The job continues with exports that are created later."""
    first, *_ = add_exports(server, 1)
    async with start(client, tmp_path, server, follow=True, interval=0.01) as reports:
        assert (await anext(reports)).export_id == first
        (second,) = add_exports(server, 1)
        assert (await anext(reports)).export_id == second
    assert (await scheduler_state(client))[1] == []


async def test_prune(client: Any, server: Emulator, tmp_path: Path) -> None:
    """Old files are removed in this process at the end."""
    old, new = add_exports(server, 2)
    await collect(client, tmp_path, server)
    server.delete_export(old)
    pruned: list[Any] = []
    await collect(client, tmp_path, server, prune_after=1e-6, on_prune=pruned.append)
    assert {(file.export_id, file.outcome) for file in pruned} == {(old, "removed")}
    assert {path.name.partition(".")[0] for path in tmp_path.glob("exp_*")} == {new}


async def test_two_jobs(client: Any, server: Emulator, tmp_path: Path) -> None:
    """Jobs on one cluster do not affect each other."""
    add_exports(server, 30)
    folders = tmp_path / "a", tmp_path / "b"
    results = await asyncio.gather(*(collect(client, folder, server, batch_size=4) for folder in folders))
    assert [len(reports) for reports in results] == [30, 30]
    for folder in folders:
        check_folder(folder, server)


async def test_early_end(client: Any, server: Emulator, tmp_path: Path) -> None:
    """Leaving the loop cancels all tasks, and leaves no job, no task and no incomplete export."""
    add_exports(server, 200)
    async with start(client, tmp_path, server, batch_size=4) as reports:
        await anext(reports)
    tasks, left = await scheduler_state(client)
    assert (tasks, left) == (0, [])
    assert storage_requests(server) < 400
    assert len(await client.nthreads()) == 2
    await collect(client, tmp_path, server)
    check_folder(tmp_path, server)


async def test_dates(client: Any, server: Emulator, tmp_path: Path) -> None:
    """Layouts with dates give the same paths on workers as in this process."""
    (export_id,) = add_exports(server, 1)
    day = datetime.fromtimestamp(server.exports[0].created_at, UTC).date().isoformat()
    (report,) = await collect(client, tmp_path, server, layout="{created:%Y-%m-%d}/{id}")
    assert report.files["csv"].path == tmp_path / day / f"{export_id}.csv"
    assert report.files["csv"].path.exists()


async def test_cluster_without_workers(server: Emulator, tmp_path: Path) -> None:
    """The job waits for workers, as any work on Dask does."""
    add_exports(server, 10)
    with local_cluster(processes=False, n_workers=0) as cluster:
        async with open_client(cluster) as client:
            async with start(client, tmp_path, server, batch_size=3) as reports:
                first = asyncio.create_task(anext(reports))
                while not (await scheduler_state(client))[0]:
                    pass
                cluster.scale(1)
                assert (await first).ok
                assert len([report async for report in reports]) == 9
    check_folder(tmp_path, server)
