"""Downloads of one export into a bucket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import LocalStore, MemoryStore

from packagex_async import (
    AsyncPackageX,
    Bucket,
    ConfigurationError,
    DestinationError,
    DownloadGroupError,
    ProgressEvent,
)
from packagex_async._buckets.objects import BucketObjects
from packagex_async.testing import Cut, Emulator, Encoded, Expired, NoHash, Reset, Undeclared, WrongHash
from tests.integration.buckets.support import BIG, contents
from tests.support import FakeClock, open_exports

SMALL = b"a,b\n1,2\n"


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return MemoryStore() if request.param == "memory" else LocalStore(tmp_path / "store", mkdir=True)


@pytest.fixture
def bucket(store: Any) -> Bucket:
    return Bucket(store, prefix="x/y-", chunk_size=1_000_000, max_concurrency=2)


async def test_second_download_requests_nothing(server: Emulator, px: AsyncPackageX, bucket: Bucket) -> None:
    """All artifacts are kept without a request to the storage host; events say so."""
    export = server.add_export(content={"csv": SMALL, "json": BIG})
    first = await px.exports.download(export.id, bucket, count_rows=True)
    assert [file.artifact.value for file in first.files] == ["json", "csv"]
    assert first.files["csv"].rows == 1
    assert first.files["json"].rows is None
    events: list[ProgressEvent] = []
    server.requests.clear()
    second = await px.exports.download(export.id, bucket, count_rows=True, on_progress=events.append)
    assert [request.host for request in server.requests] == ["api"]
    assert [file.kept for file in second.files] == [True, True]
    assert [event.kind.value for event in events] == ["kept", "kept"]
    assert second.missing == first.missing
    assert first.files["csv"].key in str(second)


@pytest.mark.parametrize("content", [SMALL, BIG])
@pytest.mark.parametrize(
    "fault", [Cut(after=5), Reset(after=3), Expired(), NoHash(), Undeclared(), Encoded(), WrongHash()]
)
async def test_faults(
    server: Emulator, px: AsyncPackageX, bucket: Bucket, store: Any, content: bytes, fault: Any
) -> None:
    """After one fault, the object has the content of the artifact."""
    export = server.add_export(content={"csv": content})
    server.inject(fault)
    report = await px.exports.download(export.id, bucket, artifacts="csv")
    assert contents(store) == {f"x/y-{export.id}.csv": content}
    assert report.files["csv"].size == len(content)


@pytest.mark.parametrize("content", [SMALL, BIG])
@pytest.mark.parametrize("fault", [Cut(after=0), WrongHash()])
async def test_lasting_faults(
    server: Emulator, px: AsyncPackageX, bucket: Bucket, store: Any, content: bytes, fault: Any
) -> None:
    """A fault that does not end leaves nothing in the bucket."""
    export = server.add_export(content={"csv": content})
    server.inject(fault, times=None)
    with pytest.raises(DownloadGroupError):
        await px.exports.download(export.id, bucket, artifacts="csv")
    assert obstore.list(store).collect() == []


async def test_foreign_objects(server: Emulator, px: AsyncPackageX, bucket: Bucket, store: Any) -> None:
    """An equal object is kept. A different one is an error, unless it may be replaced."""
    export = server.add_export(content={"csv": SMALL, "json": b"[]"})
    obstore.put(store, f"x/y-{export.id}.csv", b"other")
    obstore.put(store, f"x/y-{export.id}.json", b"[]")
    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download(export.id, bucket)
    failure = caught.value.report.failures["csv"]
    assert isinstance(failure, DestinationError)
    assert f"{export.id}.csv exists" in str(failure)
    assert caught.value.report.files["json"].kept
    report = await px.exports.download(export.id, bucket, overwrite=True)
    assert not report.files["csv"].kept
    assert contents(store)[f"x/y-{export.id}.csv"] == SMALL


async def test_parquet(server: Emulator, px: AsyncPackageX, bucket: Bucket, store: Any) -> None:
    """Parquet objects are kept, replaced and recognized as files are."""
    export = server.add_export(content={"csv": SMALL, "json": b"[]"})
    first = await px.exports.download(export.id, bucket, format="parquet")
    assert first.files["csv"].key == f"x/y-{export.id}.parquet"
    second = await px.exports.download(export.id, bucket, format="parquet")
    assert second.files["csv"].kept
    assert second.files["csv"].rows == 1
    third = await px.exports.download(export.id, bucket, format="parquet", types={"a": "int64"})
    assert not third.files["csv"].kept
    obstore.delete(store, f"x/y-_packagex/{export.id}.json")
    fourth = await px.exports.download(export.id, bucket, format="parquet", types={"a": "int64"})
    assert fourth.files["csv"].kept


async def test_unusable_bucket(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """Every artifact fails with an error that names the bucket."""
    options: dict[str, Any] = {
        "access_key_id": "k",
        "secret_access_key": "s",
        "retry_config": {"max_retries": 0},
    }
    bucket = Bucket("s3://b", endpoint="http://127.0.0.1:9", client_options={"allow_http": True}, **options)
    export = server.add_export(content={"csv": SMALL, "json": b"[]"})
    events: list[ProgressEvent] = []
    with pytest.raises(DownloadGroupError, match="2 artifacts failed") as caught:
        await px.exports.download(export.id, bucket, artifacts=["csv", "json"], on_progress=events.append)
    assert "s3://b" in str(caught.value.report.failures["csv"])
    assert [event.kind.value for event in events] == ["failed", "failed"]
    with pytest.raises(DownloadGroupError):
        await px.exports.download(export.id, bucket, artifacts=["csv"])
    with pytest.raises(DestinationError, match="s3://b"):
        await anext(px.exports.download_all(bucket))


async def test_export_and_download(bucket: Bucket) -> None:
    """A new export is downloaded into the bucket; so is a record of it later."""
    clock = FakeClock()
    async with Emulator(populate=False, now=clock.time) as server, open_exports(clock, server) as exports:
        report = await exports.export_and_download("contact", bucket, artifacts="csv")
        (file,) = report.files
        assert report.export is not None
        assert (file.key, file.kept) == (f"x/y-{report.export_id}.csv", False)
        again = await exports.download(report.export, bucket, artifacts="csv")
    assert [file.kept for file in again.files] == [True]


async def test_durability_is_for_directories(px: AsyncPackageX, bucket: Bucket) -> None:
    """It is an error before anything is sent."""
    with pytest.raises(ConfigurationError, match="durability"):
        await px.exports.download("exp_1", bucket, durability="fsync")


async def test_cancellations(server: Emulator, px: AsyncPackageX) -> None:
    """500 cancelled downloads leave complete objects at most, and no thread."""
    store = MemoryStore()
    bucket = Bucket(store, chunk_size=100_000, max_concurrency=2)
    export = server.add_export(content={"json": BIG[:400_000]})
    for number in range(500):
        task = asyncio.create_task(px.exports.download(export.id, bucket, artifacts="json", overwrite=True))
        for _ in range(number % 60):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert all(content == BIG[:400_000] for content in contents(store).values())


async def test_lost_parts(
    server: Emulator,
    px: AsyncPackageX,
    bucket: Bucket,
    store: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The upload is repeated if another process has removed its parts."""
    put_blocks = BucketObjects.put_blocks

    def fail_once(objects: BucketObjects, name: str, blocks: Iterator[bytes], length: int | None) -> None:
        list(blocks)
        monkeypatch.setattr(BucketObjects, "put_blocks", put_blocks)
        raise FileNotFoundError("<Code>NoSuchUpload</Code>")

    monkeypatch.setattr(BucketObjects, "put_blocks", fail_once)
    export = server.add_export(content={"csv": BIG})
    report = await px.exports.download(export.id, bucket)
    assert report.ok
    assert contents(store) == {f"x/y-{export.id}.csv": BIG}
