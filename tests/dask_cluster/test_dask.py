"""Dask clients that can and cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from packagex_async import Bucket, ConfigurationError
from packagex_async.integrations.dask import download_all
from packagex_async.testing import Emulator
from tests.dask_cluster.support import add_exports, check_folder, collect

pytest.importorskip("distributed")
pytestmark = pytest.mark.dask


async def test_synchronous_client(cluster: Any, server: Emulator, tmp_path: Path) -> None:
    """The error shows how to create an asynchronous one."""
    from distributed import Client

    with Client(cluster.scheduler_address, set_as_default=False) as client:
        with pytest.raises(ConfigurationError, match="asynchronous=True"):
            download_all(client, tmp_path)


async def test_client_that_is_not_connected(cluster: Any, server: Emulator, tmp_path: Path) -> None:
    """A new client and a closed one are refused."""
    from distributed import Client

    client = Client(cluster.scheduler_address, asynchronous=True, set_as_default=False)
    with pytest.raises(ConfigurationError, match="not connected"):
        download_all(client, tmp_path)
    async with client:
        pass
    with pytest.raises(ConfigurationError, match="its status is closed"):
        download_all(client, tmp_path)


@pytest.mark.parametrize("client", [None, "tcp://127.0.0.1:8786"])
async def test_no_client(client: Any, tmp_path: Path) -> None:
    """Any other object is refused."""
    with pytest.raises(ConfigurationError, match=r"must be a distributed\.Client"):
        download_all(client, tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concurency": 3}, "concurency is not an option"),
        ({"directory": "x"}, "directory is not an option"),
        ({"on_progress": print}, "on_progress cannot be used"),
        ({"concurrency": 0}, "concurrency must be 1 or more"),
        ({"layout": "x"}, "layout must be"),
        ({"artifacts": "xml"}, "artifacts must be"),
        ({"limit": 0}, "limit must be"),
        ({"batch_size": 0}, "batch_size must be an integer of 1 or more"),
        ({"batch_size": True}, "batch_size must be an integer of 1 or more"),
        ({"environment": "test"}, "environment must be one of"),
    ],
)
async def test_invalid_options(
    options: dict[str, Any], message: str, client: Any, server: Emulator, tmp_path: Path
) -> None:
    """They are errors at the call, and nothing is sent."""
    with pytest.raises(ConfigurationError, match=message):
        download_all(client, tmp_path, **options)
    assert server.requests == []


@pytest.mark.parametrize("destination", [7, "a\0b"])
async def test_invalid_destinations(destination: Any, client: Any, server: Emulator) -> None:
    """Anything that is neither a path nor a bucket is refused."""
    with pytest.raises(ConfigurationError, match="directory must be a path"):
        download_all(client, destination)


async def test_memory_bucket(client: Any, server: Emulator) -> None:
    """Its objects exist in one process only."""
    pytest.importorskip("obstore")
    with pytest.raises(ConfigurationError, match="exists in one process only"):
        download_all(client, Bucket("memory://"))


async def test_option_that_cannot_be_sent(client: Any, server: Emulator, tmp_path: Path) -> None:
    """The error does not show its value."""
    with pytest.raises(ConfigurationError, match="an option cannot be sent to the workers"):
        download_all(client, tmp_path, layout=lambda: None)


async def test_cluster_in_the_event_loop_of_the_client(server: Emulator, tmp_path: Path) -> None:
    """Scheduler, workers and client may share an event loop."""
    from distributed import Client, LocalCluster

    add_exports(server, 20)
    async with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, asynchronous=True, dashboard_address=":0"
    ) as cluster:
        async with Client(cluster, asynchronous=True) as client:
            reports = await collect(client, tmp_path, server, batch_size=4)
    assert len(reports) == 20
    check_folder(tmp_path, server)


async def test_relative_path(
    client: Any, server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path is relative to the working directory of this process."""
    monkeypatch.chdir(tmp_path)
    (export_id,) = add_exports(server, 1)
    (report,) = await collect(client, "exports", server)
    assert report.files["csv"].path == tmp_path / "exports" / f"{export_id}.csv"
    check_folder(tmp_path / "exports", server)
