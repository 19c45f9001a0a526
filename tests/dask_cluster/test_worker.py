"""The part of a job in a worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from packagex_async import ConfigurationError, ConnectionFailedError
from packagex_async._version import __version__
from packagex_async.integrations._dask.messages import ExportRecord, JobSettings
from packagex_async.integrations._dask.options import worker_options
from packagex_async.integrations._dask.task import download_batch
from packagex_async.testing import Emulator, Status
from tests.dask_cluster.support import add_exports

pytest.importorskip("distributed")
pytestmark = pytest.mark.dask

NAME = "packagex-download-test"


def new_settings(server: Emulator, folder: Path, **changes: Any) -> JobSettings:
    """Return the settings of a job."""
    values: dict[str, Any] = {
        "name": NAME,
        "version": __version__,
        "base_url": server.base_url,
        "environment": "production",
        "destination": str(folder),
        "options": worker_options({}),
        **changes,
    }
    return JobSettings(**values)


@pytest.fixture
async def registered(client: Any) -> AsyncIterator[Any]:
    """Provide a function that registers the plugin without a coordinator."""
    from packagex_async.integrations._dask.worker import DownloadWorker

    async def register(settings: JobSettings) -> None:
        await client.register_plugin(DownloadWorker(settings), name=NAME)

    yield register
    await client.unregister_worker_plugin(NAME)


async def run_batch(client: Any, records: list[ExportRecord]) -> Any:
    """Return the result of a batch."""
    return await client.submit(download_batch, NAME, 0, records, pure=False)


async def test_without_a_coordinator(client: Any, registered: Any, server: Emulator, tmp_path: Path) -> None:
    """A worker that cannot reach the coordinator reports that as the result of each batch."""
    await registered(new_settings(server, tmp_path))
    result = await run_batch(client, [])
    assert isinstance(result.error, ConnectionFailedError)
    assert "has lost the connection to the Dask scheduler" in str(result.error)


async def test_other_version(client: Any, registered: Any, server: Emulator, tmp_path: Path) -> None:
    """A worker with another version joins the cluster, and its batches fail."""
    await registered(new_settings(server, tmp_path, version="0"))
    result = await run_batch(client, [])
    assert isinstance(result.error, ConfigurationError)
    assert f"has packagex-async {__version__}, and the client process has 0" in str(result.error)


async def test_coordinator_that_disappears(
    client: Any, registered: Any, server: Emulator, tmp_path: Path
) -> None:
    """A batch that has begun still follows its own limits; the next one fails."""
    from packagex_async.integrations._dask.coordinator import Coordinator

    def remove(actions: list[str], dask_scheduler: Any) -> None:
        for action in actions:
            del dask_scheduler.handlers[f"{NAME}-{action}"]

    await client.register_plugin(Coordinator(NAME, __version__, "another client", 8), name=NAME)
    await registered(new_settings(server, tmp_path))
    (export_id,) = add_exports(server, 1)
    server.inject(Status(429, on="storage", retry_after="0"))
    await client.run_on_scheduler(remove, ["throttled"])
    records = [ExportRecord(export_id, "completed", None, None, None)]
    assert len((await run_batch(client, records)).reports) == 1
    await client.run_on_scheduler(remove, ["ready", "begin", "end"])
    result = await run_batch(client, records)
    assert isinstance(result.error, ConnectionFailedError)
    await client.unregister_scheduler_plugin(NAME)


async def test_older_limits_are_ignored(server: Emulator, tmp_path: Path) -> None:
    """Messages of the coordinator may overtake each other."""
    from packagex_async.integrations._dask.worker import DownloadWorker

    class Limiter:
        sizes: ClassVar[list[int]] = []

        def resize(self, size: int) -> None:
            self.sizes.append(size)

    plugin = DownloadWorker(new_settings(server, tmp_path))
    plugin._revision = 0
    plugin._limiters = {"api": Limiter(), "storage": Limiter()}  # type: ignore[dict-item]
    await plugin.resize([2, 50, 8])
    await plugin.resize([1, 100, 16])
    assert Limiter.sizes == [50, 8]
