"""Dry runs, exclusions and other options of downloads whose destination is a bucket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore

from packagex_async import AsyncPackageX, Bucket, ConfigurationError, DownloadGroupError, DownloadReport
from packagex_async.report import BucketFile
from packagex_async.testing import Emulator
from tests.integration.buckets.support import contents

SMALL = b"a,b\n1,2\n"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def bucket(store: MemoryStore) -> Bucket:
    return Bucket(store, prefix="x/")


async def sync(px: AsyncPackageX, bucket: Bucket, **options: Any) -> list[DownloadReport[BucketFile]]:
    return [report async for report in px.exports.download_all(bucket, **options)]


def keys(store: Any) -> list[str]:
    return sorted(item["path"] for item in obstore.list(store).collect())


async def test_dry_run_writes_nothing(
    server: Emulator, px: AsyncPackageX, bucket: Bucket, store: Any
) -> None:
    """The planned objects have a key, a URL, a size and a reason."""
    export = server.add_export(content={"csv": SMALL})
    (report,) = await sync(px, bucket, dry_run=True, count_rows=True)
    (planned,) = report.planned
    assert (planned.path, planned.url) == (Path(f"x/{export.id}.csv"), f"memory:///x/{export.id}.csv")
    assert (planned.reason, planned.size) == ("new", len(SMALL))
    assert f"memory:///x/{export.id}.csv" in str(report)
    single = await px.exports.download(export.id, bucket, dry_run=True, count_rows=True)
    assert single.planned == report.planned
    assert keys(store) == []


async def test_reasons_of_a_dry_run(server: Emulator, px: AsyncPackageX, bucket: Bucket, store: Any) -> None:
    """Objects that are gone or were changed since the last run are planned; others are kept."""
    gone, changed, kept = (server.add_export(content={"csv": SMALL}) for _ in range(3))
    await sync(px, bucket)
    obstore.delete(store, f"x/{gone.id}.csv")
    obstore.put(store, f"x/{changed.id}.csv", b"other")
    before = contents(store)
    reports = {report.export_id: report for report in await sync(px, bucket, dry_run=True)}
    assert [file.reason for file in reports[gone.id].planned] == ["lost"]
    assert [file.reason for file in reports[changed.id].planned] == ["changed"]
    assert [file.kept for file in reports[kept.id].files] == [True]
    assert contents(store) == before


async def test_existing_objects_in_a_dry_run(
    server: Emulator, px: AsyncPackageX, bucket: Bucket, store: Any
) -> None:
    """An equal object of another program would be kept, and a different one would be an error."""
    same, other = (server.add_export(content={"csv": SMALL}) for _ in range(2))
    obstore.put(store, f"x/{same.id}.csv", SMALL)
    obstore.put(store, f"x/{other.id}.csv", b"other")
    report = await px.exports.download(same.id, bucket, dry_run=True)
    assert report.files["csv"].kept
    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download(other.id, bucket, dry_run=True)
    assert "overwrite" in str(caught.value.report.failures["csv"])
    report = await px.exports.download(other.id, bucket, dry_run=True, overwrite=True)
    assert [file.reason for file in report.planned] == ["changed"]


async def test_excluded_objects_are_not_downloaded(
    server: Emulator, px: AsyncPackageX, bucket: Bucket, store: Any
) -> None:
    """The patterns are compared with the names after the prefix."""
    export = server.add_export(content={"csv": SMALL, "json": b"[]"})
    await sync(px, bucket, exclude="*.json")
    assert list(contents(store)) == [f"x/{export.id}.csv"]


async def test_creation_dates(server: Emulator, px: AsyncPackageX, bucket: Bucket) -> None:
    """Only exports of the given period are downloaded."""
    server.add_export(content={"csv": SMALL})
    now = datetime.now(UTC)
    assert len(await sync(px, bucket, created_after=now - timedelta(days=1))) == 1
    assert await sync(px, bucket, created_before=now - timedelta(days=1)) == []


def test_objects_are_not_pruned(px: AsyncPackageX, bucket: Bucket) -> None:
    """The error names the alternative."""
    with pytest.raises(ConfigurationError, match="lifecycle rule"):
        px.exports.download_all(bucket, prune_after=1)
