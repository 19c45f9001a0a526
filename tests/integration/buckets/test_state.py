"""Downloads of many exports into a bucket, and their verification."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore

from packagex_async import AsyncPackageX, Bucket, DirectoryError, DownloadReport, FileState, verify_directory
from packagex_async.report import BucketFile
from packagex_async.testing import Emulator, Stall
from tests.integration.buckets.support import BIG, contents


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def bucket(store: MemoryStore) -> Bucket:
    return Bucket(store, prefix="x/")


async def sync(px: AsyncPackageX, bucket: Bucket, **options: Any) -> list[DownloadReport[BucketFile]]:
    return [report async for report in px.exports.download_all(bucket, artifacts="csv", **options)]


def storage_requests(server: Emulator) -> int:
    return [request.host for request in server.requests].count("storage")


async def test_only_changes_are_downloaded(
    server: Emulator, px: AsyncPackageX, bucket: Bucket, store: MemoryStore
) -> None:
    """Unchanged objects need no request; deleted, replaced and outdated ones are downloaded again."""
    exports = [server.add_export(content={"csv": b"a\n%d\n" % number}) for number in range(4)]
    expected = {f"x/{export.id}.csv": b"a\n%d\n" % number for number, export in enumerate(exports)}
    assert all(report.ok for report in await sync(px, bucket))
    assert contents(store) == expected
    assert storage_requests(server) == 4
    assert all(report.files["csv"].kept for report in await sync(px, bucket, verify=True))
    assert storage_requests(server) == 4
    obstore.delete(store, f"x/{exports[0].id}.csv")
    obstore.put(store, f"x/{exports[1].id}.csv", b"a\n9\n")
    obstore.put(store, f"x/{exports[2].id}.csv", b"")
    await sync(px, bucket)
    assert storage_requests(server) == 7
    assert contents(store) == expected
    await sync(px, bucket, resume=False)
    assert storage_requests(server) == 11


@pytest.mark.parametrize("layout", ["flat", "folders", "{artifact}/{id}"])
async def test_buckets_with_very_many_objects(
    server: Emulator,
    px: AsyncPackageX,
    bucket: Bucket,
    store: MemoryStore,
    layout: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The objects of each export are looked for, instead of a listing of all objects."""
    monkeypatch.setattr("packagex_async._bucket_sync.state._MAX_LISTED", 3)
    exports = [server.add_export(content={"csv": b"a\n%d\n" % number}) for number in range(4)]
    await sync(px, bucket, layout=layout)
    changed = sorted(contents(store))[0]
    obstore.delete(store, changed)
    reports = await sync(px, bucket, layout=layout)
    assert {report.files["csv"].key: report.files["csv"].kept for report in reports} == {
        key: key != changed for key in contents(store)
    }
    assert storage_requests(server) == len(exports) + 1


async def test_content_is_compared_on_request(
    server: Emulator, px: AsyncPackageX, bucket: Bucket, store: MemoryStore
) -> None:
    """With `verify`, an object without an entity tag in the manifest object is read."""
    export = server.add_export(content={"csv": b"a\n1\n"})
    await sync(px, bucket)
    key = f"x/_packagex/{export.id}.json"
    manifest = json.loads(bytes(obstore.get(store, key).bytes()))
    del manifest["entries"][0]["e_tag"]
    obstore.put(store, key, json.dumps(manifest).encode())
    obstore.put(store, f"x/{export.id}.csv", b"a\n2\n")
    assert (await sync(px, bucket))[0].files["csv"].kept
    assert not (await sync(px, bucket, verify=True))[0].files["csv"].kept


async def test_missing_artifacts_are_recorded(server: Emulator, px: AsyncPackageX, bucket: Bucket) -> None:
    """An artifact that the export does not offer is not requested again."""
    server.add_export(content={"json": b"[]"})
    for _ in range(2):
        (report,) = await sync(px, bucket)
        assert [artifact.value for artifact in report.missing] == ["csv"]


async def test_rows_are_recorded(
    server: Emulator, px: AsyncPackageX, bucket: Bucket, store: MemoryStore
) -> None:
    """Rows are counted once, and come from the manifest object later."""
    export = server.add_export(content={"csv": b"a\n1\n"})
    for _ in range(2):
        (report,) = await sync(px, bucket, count_rows=True)
        assert report.files["csv"].rows == 1
    manifest = json.loads(bytes(obstore.get(store, f"x/_packagex/{export.id}.json").bytes()))
    assert manifest["entries"][0]["rows"] == 1


async def test_two_runs_at_the_same_time(
    server: Emulator, px: AsyncPackageX, bucket: Bucket, store: MemoryStore
) -> None:
    """Both succeed, and each object is complete."""
    for number in range(10):
        server.add_export(content={"csv": b"a\n%d\n" % number})
    async with server.client() as other:
        first, second = await asyncio.gather(sync(px, bucket), sync(other, Bucket(store, prefix="x/")))
    assert all(report.ok for report in first + second)
    assert len(contents(store)) == 10
    states = {checked.state async for checked in verify_directory(bucket)}
    assert states == {FileState.EXACT}


async def test_verification(server: Emulator, px: AsyncPackageX, bucket: Bucket, store: MemoryStore) -> None:
    """Missing, changed and other objects are found; progress is reported."""
    exports = [server.add_export(content={"csv": b"a\n%d\n" % number}) for number in range(12)]
    await sync(px, bucket)
    obstore.delete(store, f"x/{exports[0].id}.csv")
    obstore.put(store, f"x/{exports[1].id}.csv", b"b\n1\n")
    obstore.put(store, f"x/{exports[2].id}.csv", b"longer")
    obstore.put(store, "x/other.txt", b"1")
    steps: list[tuple[int, int]] = []
    found = {
        checked.key: checked.state
        async for checked in verify_directory(bucket, on_progress=lambda *step: steps.append(step))
    }
    assert found.pop("x/other.txt") is FileState.UNLISTED
    assert found.pop(f"x/{exports[0].id}.csv") is FileState.MISSING
    assert found.pop(f"x/{exports[1].id}.csv") is FileState.CHANGED
    assert found.pop(f"x/{exports[2].id}.csv") is FileState.CHANGED
    assert set(found.values()) == {FileState.EXACT}
    assert steps[-1][1] == sum(len(b"a\n%d\n" % number) for number in range(12))


async def test_unusable_bucket_cannot_be_verified() -> None:
    """The error names the bucket."""
    options: dict[str, Any] = {"access_key_id": "k", "secret_access_key": "s"}
    bucket = Bucket(
        "s3://b", endpoint="http://127.0.0.1:9", client_options={"allow_http": True},
        retry_config={"max_retries": 0}, **options,
    )  # fmt: skip
    with pytest.raises(DirectoryError, match="s3://b"):
        await anext(verify_directory(bucket))


async def test_large_artifacts_do_not_delay_small_ones(server: Emulator, px: AsyncPackageX) -> None:
    """Small artifacts finish while a large one, whose download began first, does not advance."""
    bucket = Bucket(MemoryStore(), chunk_size=100_000, max_concurrency=2)
    large = server.add_export(content={"csv": BIG})
    small = {server.add_export(content={"csv": b"a\n1\n"}).id for _ in range(20)}
    server.inject(Stall(after=300_000, export_id=large.id), times=None)
    finished: set[str] = set()
    async with aclosing(px.exports.download_all(bucket, artifacts="csv", concurrency=2)) as reports:
        async for report in reports:
            assert report.ok
            finished.add(report.export_id)
            if finished >= small:
                break
    assert finished == small


async def test_leaving_a_verification(px: AsyncPackageX, server: Emulator) -> None:
    """A thread that reads an object ends at its next block."""
    store = MemoryStore()
    bucket = Bucket(store)
    for _ in range(9):
        server.add_export(content={"csv": BIG})
    await sync(px, bucket)
    async with aclosing(verify_directory(bucket)) as objects:
        async for checked in objects:
            assert checked.state is FileState.EXACT
            break
