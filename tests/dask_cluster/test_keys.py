"""Keys, versions and packages that are missing or wrong in some processes of a cluster."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from packagex_async import AuthenticationError, ConfigurationError, PermissionDeniedError
from packagex_async.integrations.dask import download_all
from packagex_async.testing import Emulator, Status
from tests.dask_cluster.support import KEY, add_exports, collect, local_cluster, open_client, scheduler_state

pytest.importorskip("distributed")
pytestmark = pytest.mark.dask


async def set_key(client: Any, key: str | None) -> None:
    """Set the key in the environment of all workers."""

    def change(key: str | None) -> None:
        if key is None:
            os.environ.pop("PX_API_KEY", None)
        else:
            os.environ["PX_API_KEY"] = key

    await client.run(change, key)


@pytest.fixture
async def restored(process_client: Any) -> AsyncIterator[Any]:
    """Provide a client whose workers get their key back at the end."""
    yield process_client
    await set_key(process_client, KEY)


async def check_survival(client: Any, server: Emulator, folder: Path) -> None:
    """Check that both workers live, and that another job is possible."""
    assert len(await client.nthreads()) == 2
    assert (await scheduler_state(client))[1] == []
    await set_key(client, KEY)
    assert all(report.ok for report in await collect(client, folder, server))


async def test_wrong_key_on_workers(restored: Any, server: Emulator, tmp_path: Path) -> None:
    """It ends the job, and the workers survive."""
    add_exports(server, 40)
    await set_key(restored, "px_another_key_0123456789")
    with pytest.raises(AuthenticationError, match="401"):
        await collect(restored, tmp_path, server, batch_size=4)
    await check_survival(restored, server, tmp_path)


async def test_wrong_key_everywhere(
    process_client: Any, server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listing fails, and nothing is left."""
    add_exports(server, 4)
    monkeypatch.setenv("PX_API_KEY", "px_another_key_0123456789")
    with pytest.raises(AuthenticationError):
        await collect(process_client, tmp_path, server)
    monkeypatch.setenv("PX_API_KEY", KEY)
    await check_survival(process_client, server, tmp_path)


async def test_missing_key_on_workers(restored: Any, server: Emulator, tmp_path: Path) -> None:
    """The error names a worker and the variable."""
    add_exports(server, 4)
    await set_key(restored, None)
    with pytest.raises(ConfigurationError, match=r"no API key on the worker tcp://.*: set PX_API_KEY in"):
        await collect(restored, tmp_path, server)
    await check_survival(restored, server, tmp_path)


async def test_missing_key_in_client_process(
    client: Any, server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an error at the call."""
    monkeypatch.delenv("PX_API_KEY")
    with pytest.raises(ConfigurationError, match="set PX_API_KEY in the environment of this process"):
        download_all(client, tmp_path, base_url=server.base_url)


async def test_key_without_permission(client: Any, server: Emulator, tmp_path: Path) -> None:
    """A 403 for one export ends the job, too."""
    ids = add_exports(server, 4)
    server.inject(Status(403, on="api", export_id=ids[0]), times=None)
    with pytest.raises(PermissionDeniedError):
        await collect(client, tmp_path, server)


async def test_other_version(
    client: Any, server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job does not start."""
    monkeypatch.setattr("packagex_async.integrations._dask.job.__version__", "0.0.0")
    with pytest.raises(
        ConfigurationError, match=r"the scheduler has packagex-async .*, and the client .* 0\.0\.0"
    ):
        await collect(client, tmp_path, server)
    assert (await scheduler_state(client))[1] == []


BLOCK = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "packagex_async":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""


async def test_missing_package_on_workers(server: Emulator, tmp_path: Path) -> None:
    """The error says what to install, and nothing is left on the scheduler."""
    preload = tmp_path / "block.py"
    preload.write_text(BLOCK)
    with local_cluster(preload=str(preload)) as cluster:
        async with open_client(cluster) as client:
            with pytest.raises(ConfigurationError, match=r"No module named.*'packagex-async\[dask\]'"):
                await collect(client, tmp_path / "exports", server)
            assert len(await client.nthreads()) == 2

            def plugins(dask_scheduler: Any) -> list[str]:
                return [*dask_scheduler.plugins, *dask_scheduler.worker_plugins]

            names = await client.run_on_scheduler(plugins)
            assert not [name for name in names if "packagex" in name]
