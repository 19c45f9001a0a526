"""Downloads into buckets of moto, a server for S3."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import obstore
import pytest

from packagex_async import (
    Bucket,
    DestinationError,
    DownloadGroupError,
    FileState,
    RetryPolicy,
    verify_directory,
)
from packagex_async.testing import Cut, Emulator, WrongHash
from tests.buckets.conftest import SECRET, S3Server, keys
from tests.support import NO_BACKOFF

pytestmark = pytest.mark.buckets

BIG = random.Random(1).randbytes(20 * 1024 * 1024)
SMALL = b"a,b\n1,2\n"
PART = 5 * 1024 * 1024


@pytest.fixture
def bucket(moto: S3Server, s3_bucket: str) -> Bucket:
    return Bucket(f"s3://{s3_bucket}/x/", prefix="y-", chunk_size=PART, max_concurrency=2, **moto.options())


async def test_objects_appear_once(moto: S3Server, s3_bucket: str, bucket: Bucket) -> None:
    """Large and small artifacts arrive; a second run sends no request for an artifact."""
    async with Emulator(populate=False) as server, server.client() as px:
        export = server.add_export(content={"csv": SMALL, "json": BIG})
        reports = [report async for report in px.exports.download_all(bucket)]
        (report,) = reports
        assert report.ok
        assert report.files["csv"].url == f"s3://{s3_bucket}/x/y-{export.id}.csv"
        store = moto.store(s3_bucket)
        assert keys(store) == [
            f"x/y-_packagex/{export.id}.json", f"x/y-{export.id}.csv", f"x/y-{export.id}.json"
        ]  # fmt: skip
        assert bytes(obstore.get(store, report.files["json"].key).bytes()) == BIG
        hosts = [request.host for request in server.requests]
        again = [report async for report in px.exports.download_all(bucket)]
        assert all(file.kept for file in again[0].files)
        assert [request.host for request in server.requests].count("storage") == hosts.count("storage")
        assert SECRET not in f"{bucket!r} {report!r}"


@pytest.mark.parametrize("change", ["delete", "replace", "shorten"])
async def test_changed_objects_are_downloaded_again(
    moto: S3Server, s3_bucket: str, bucket: Bucket, change: str
) -> None:
    """An object that was deleted or replaced is written again, also if its length is the same."""
    store = moto.store(s3_bucket)
    async with Emulator(populate=False) as server, server.client() as px:
        export = server.add_export(content={"csv": SMALL})
        await px.exports.download(export.id, bucket, artifacts="csv")
        key = f"x/y-{export.id}.csv"
        if change == "delete":
            obstore.delete(store, key)
        else:
            obstore.put(store, key, SMALL[::-1] if change == "replace" else b"a")
        states = [checked.state async for checked in verify_directory(bucket)]
        assert states == [FileState.MISSING if change == "delete" else FileState.CHANGED]
        report = await px.exports.download(export.id, bucket, artifacts="csv")
        assert not report.files["csv"].kept
        assert bytes(obstore.get(store, key).bytes()) == SMALL


async def test_existing_objects(moto: S3Server, s3_bucket: str, bucket: Bucket) -> None:
    """An equal object of another program is kept, and a different one is an error."""
    store = moto.store(s3_bucket)
    async with Emulator(populate=False) as server, server.client() as px:
        same, other = (server.add_export(content={"csv": SMALL}) for _ in range(2))
        obstore.put(store, f"x/y-{same.id}.csv", SMALL)
        obstore.put(store, f"x/y-{other.id}.csv", b"something else")
        report = await px.exports.download(same.id, bucket, artifacts="csv")
        assert report.files["csv"].kept
        with pytest.raises(DownloadGroupError) as caught:
            await px.exports.download(other.id, bucket, artifacts="csv")
        assert type(caught.value.report.failures["csv"]) is DestinationError
        assert bytes(obstore.get(store, f"x/y-{other.id}.csv").bytes()) == b"something else"
        report = await px.exports.download(other.id, bucket, artifacts="csv", overwrite=True)
        assert bytes(obstore.get(store, report.files["csv"].key).bytes()) == SMALL


@pytest.mark.parametrize("problem", ["hash", "truncation", "cancellation", "closing"])
async def test_failures_leave_nothing(moto: S3Server, s3_bucket: str, bucket: Bucket, problem: str) -> None:
    """A wrong hash, a truncation, a cancellation or closing leaves neither an object nor an upload."""
    async with Emulator(populate=False) as server:
        export = server.add_export(content={"csv": BIG})
        if problem == "hash":
            server.inject(WrongHash(), times=None)
        elif problem == "truncation":
            server.inject(Cut(after=12_000_000), times=None)
        px = server.client(retry=RetryPolicy(attempts=1) if problem in ("hash", "truncation") else NO_BACKOFF)
        started = asyncio.Event()

        def on_progress(event: Any) -> None:
            if event.received > 12 * 1024 * 1024:
                started.set()

        async with px:
            download = px.exports.download(export.id, bucket, artifacts="csv", on_progress=on_progress)
            if problem in ("hash", "truncation"):
                with pytest.raises(DownloadGroupError):
                    await download
            else:
                task = asyncio.create_task(download)
                await started.wait()
                if problem == "cancellation":
                    task.cancel()
                else:
                    await px.aclose()
                await asyncio.gather(task, return_exceptions=True)
        leftover = keys(moto.store(s3_bucket))
        # A cancelled operation may leave a complete object.
        assert leftover in ([], [f"x/y-{export.id}.csv"])
        if problem in ("hash", "truncation"):
            assert leftover == []
        assert moto.uploads(s3_bucket) == ""


async def test_truncations_are_resumed(moto: S3Server, s3_bucket: str, bucket: Bucket) -> None:
    """The upload stays open while the download continues at the byte reached."""
    async with Emulator(populate=False) as server, server.client(retry=NO_BACKOFF) as px:
        export = server.add_export(content={"csv": BIG})
        server.inject(Cut(after=6_000_000), times=2)
        report = await px.exports.download(export.id, bucket, artifacts="csv")
        assert report.files["csv"].resumed
        assert bytes(obstore.get(moto.store(s3_bucket), report.files["csv"].key).bytes()) == BIG


async def test_abandoned_uploads_are_removed(moto: S3Server, s3_bucket: str, bucket: Bucket) -> None:
    """Uploads below the prefix that are older than a day are removed; moto dates each of them to 2010."""
    for key in ("x/y-exp_1.csv", "x/z-exp_1.csv", "x/y-other.bin"):
        moto.request("POST", f"/{s3_bucket}/{key}?uploads")
    async with Emulator(populate=False) as server, server.client() as px:
        assert [report async for report in px.exports.download_all(bucket)] == []
    left = moto.uploads(s3_bucket)
    assert "y-exp_1.csv" not in left
    assert "z-exp_1.csv" in left
    assert "y-other.bin" in left


@pytest.mark.parametrize("problem", ["absent", "unreachable"])
async def test_unusable_bucket(moto: S3Server, problem: str) -> None:
    """The error names the bucket, says what to do, and ends the loop."""
    options: dict[str, Any] = moto.options()
    if problem == "unreachable":
        options["endpoint"] = "http://127.0.0.1:9"
    bucket = Bucket("s3://no-such-bucket-here", **options)
    async with Emulator(populate=False) as server, server.client() as px:
        export = server.add_export(content={"csv": SMALL})
        with pytest.raises(DestinationError, match="no-such-bucket-here") as caught:
            async for _ in px.exports.download_all(bucket):
                pass
        assert "check" in str(caught.value)
        assert SECRET not in repr(caught.value)
        with pytest.raises(DownloadGroupError):
            await px.exports.download(export.id, bucket, artifacts="csv")


async def test_two_processes(bucket: Bucket, moto: S3Server, s3_bucket: str) -> None:
    """Two runs at the same time write each object completely, and one manifest object with all entries."""
    async with Emulator(populate=False) as server:
        export = server.add_export(content={"csv": SMALL, "json": b"[]"})
        async with server.client() as first, server.client() as second:
            one, two = await asyncio.gather(
                first.exports.download(export.id, bucket, artifacts="csv"),
                second.exports.download(export.id, bucket, artifacts="json"),
            )
            assert one.ok
            assert two.ok
            report = await first.exports.download(export.id, bucket, artifacts=["csv", "json"])
            assert [file.kept for file in report.files] == [True, True]


def test_processes_exit_normally(moto: S3Server, s3_bucket: str, tmp_path: Path) -> None:
    """Short processes that upload and exit end with status 0, 30 times in a row."""
    script = tmp_path / "upload.py"
    script.write_text(
        "import asyncio, sys\n"
        "from packagex_async import Bucket\n"
        "from packagex_async._buckets.upload import ObjectUpload\n"
        "from packagex_async._buckets.bucket import objects_of\n"
        "options = dict(endpoint=sys.argv[2], access_key_id='k', secret_access_key='s', region='us-east-1',\n"
        "               client_options={'allow_http': True})\n"
        "bucket = Bucket(f's3://{sys.argv[1]}', chunk_size=5 * 2**20, **options)\n"
        "async def main():\n"
        "    objects = objects_of(bucket)\n"
        "    upload = ObjectUpload(objects, 'a.csv')\n"
        "    await objects.run(upload.write, [b'x' * 2**20] * 6)\n"
        "    await objects.run(upload.publish, lambda _: None, overwrite=True)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, str(script), s3_bucket, moto.endpoint]
    codes = {subprocess.run(command, check=False, timeout=60).returncode for _ in range(30)}
    assert codes == {0}
