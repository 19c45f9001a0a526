"""Errors of Dask in the client process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from packagex_async import AuthenticationError, ConfigurationError, ConnectionFailedError, PackageXError
from packagex_async.integrations._dask.messages import JobSettings, LostBatchError
from packagex_async.integrations._dask.options import worker_options
from packagex_async.testing import Emulator
from tests.dask_cluster.support import add_exports, start

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.dask

from packagex_async.integrations._dask.cluster import Cluster, translated_errors  # noqa: E402

KILLED = distributed.scheduler.KilledWorker


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (distributed.CancelledError("why"), ConnectionFailedError, "has cancelled a task: why"),
        (OSError("no route"), ConnectionFailedError, "does not respond: no route; check that"),
        (TimeoutError(), ConnectionFailedError, "does not respond"),
        (ImportError("No module"), ConfigurationError, r"cannot: ImportError: No module; install 'packagex"),
        (KILLED("key", None, 0), LostBatchError, "^1 worker died while it downloaded"),
        (KILLED("key", None, 3), LostBatchError, "^4 workers died while they downloaded"),
        (AuthenticationError("no", status=401), AuthenticationError, "401"),
    ],
)
def test_errors_of_dask(error: Exception, kind: type[PackageXError], message: str) -> None:
    """They become errors of this package, without their traceback."""
    with pytest.raises(kind, match=message) as caught:
        with translated_errors("it cannot"):
            raise error
    assert caught.value.__cause__ is None


def new_cluster(client: Any, folder: Path) -> Cluster:
    """Return a cluster with a job that was not opened."""
    settings = JobSettings(
        name="packagex-download-test",
        version="0",
        base_url=None,
        environment="production",
        destination=str(folder),
        options=worker_options({}),
    )
    return Cluster(client, settings)


async def test_end_without_a_start(client: Any, tmp_path: Path) -> None:
    """A job that was never opened can be closed."""
    await new_cluster(client, tmp_path).aclose()


async def test_end_after_the_client(cluster: Any, tmp_path: Path) -> None:
    """A job can be closed after its Dask client."""
    async with distributed.Client(cluster.scheduler_address, asynchronous=True) as client:
        pass
    await new_cluster(client, tmp_path).aclose()


async def test_cancelled_tasks(client: Any, server: Emulator, tmp_path: Path) -> None:
    """If another client cancels the tasks, the job ends with an error."""
    add_exports(server, 200)
    async with start(client, tmp_path, server, batch_size=4) as reports:
        await anext(reports)
        futures = [distributed.Future(key, client) for key in client.futures]
        await client.cancel(futures, force=True)
        with pytest.raises(ConnectionFailedError, match="has cancelled a task"):
            async with asyncio.timeout(60):
                async for _ in reports:
                    pass
