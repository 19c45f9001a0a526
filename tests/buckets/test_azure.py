"""Downloads into a container of Azurite, a server for Azure."""

from __future__ import annotations

import random
import uuid
from typing import Any

import obstore
import pytest
from obstore.store import AzureStore

from packagex_async import Bucket, DownloadGroupError, FileState, RetryPolicy, verify_directory
from packagex_async.testing import Emulator, WrongHash
from tests.buckets.azure import create_container
from tests.buckets.conftest import AZURE_KEY, keys

pytestmark = pytest.mark.buckets

BIG = random.Random(2).randbytes(3 * 1024 * 1024)


@pytest.fixture
def container(azurite: dict[str, Any]) -> str:
    name = f"container-{uuid.uuid4().hex[:12]}"
    create_container(azurite["endpoint"], name, AZURE_KEY)
    return name


async def test_objects_appear_once(azurite: dict[str, Any], container: str) -> None:
    """Large and small artifacts arrive; a second run keeps both, and a changed object is found."""
    bucket = Bucket(f"az://{container}/x", chunk_size=1024 * 1024, **azurite)
    store = AzureStore(container, **azurite)
    async with Emulator(populate=False) as server, server.client() as px:
        export = server.add_export(content={"csv": b"a\n1\n", "json": BIG})
        report = await px.exports.download(export.id, bucket, artifacts=["csv", "json"])
        assert bytes(obstore.get(store, report.files["json"].key).bytes()) == BIG
        again = await px.exports.download(export.id, bucket, artifacts=["csv", "json"])
        assert [file.kept for file in again.files] == [True, True]
        obstore.put(store, f"x/{export.id}.csv", b"b\n1\n")
        states = {checked.key: checked.state async for checked in verify_directory(bucket)}
        assert states == {f"x/{export.id}.csv": FileState.CHANGED, f"x/{export.id}.json": FileState.EXACT}


async def test_failures_leave_nothing(azurite: dict[str, Any], container: str) -> None:
    """An artifact with a wrong hash never appears."""
    bucket = Bucket(f"az://{container}", chunk_size=1024 * 1024, **azurite)
    async with Emulator(populate=False) as server, server.client(retry=RetryPolicy(attempts=1)) as px:
        export = server.add_export(content={"json": BIG})
        server.inject(WrongHash(), times=None)
        with pytest.raises(DownloadGroupError):
            await px.exports.download(export.id, bucket, artifacts="json")
    assert keys(AzureStore(container, **azurite)) == []
