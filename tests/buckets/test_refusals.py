"""A server for S3 that refuses one operation."""

from __future__ import annotations

import asyncio
import errno
import random
from collections.abc import Mapping
from typing import Any

import pytest

from packagex_async import Bucket, DestinationError, DownloadGroupError
from packagex_async.testing import Emulator, Stall
from tests.buckets.conftest import SECRET, S3Server, keys
from tests.buckets.faulty_server import Answer, faulty_server

pytestmark = pytest.mark.buckets

BIG = random.Random(3).randbytes(12 * 1024 * 1024)
SMALL = b"a\n1\n"
PART = 5 * 1024 * 1024
DENIED = Answer(403, "AccessDenied")
FULL = Answer(507, "InsufficientStorage")


def new_bucket(server: S3Server, name: str) -> Bucket:
    options: dict[str, Any] = server.options() | {"retry_config": {"max_retries": 0}}
    return Bucket(f"s3://{name}/x", chunk_size=PART, max_concurrency=2, **options)


@pytest.mark.parametrize(
    ("operation", "answer", "number", "text"),
    [
        ("ListObjects", DENIED, errno.EACCES, "denied (AccessDenied)"),
        ("PutObject", DENIED, errno.EACCES, "denied (AccessDenied)"),
        ("PutManifest", DENIED, errno.EACCES, "denied (AccessDenied)"),
        ("CreateUpload", DENIED, errno.EACCES, "denied (AccessDenied)"),
        ("UploadPart", DENIED, errno.EACCES, "denied (AccessDenied)"),
        ("ListObjects", Answer(400, "ExpiredToken"), errno.EACCES, "have expired (ExpiredToken); renew them"),
        ("PutObject", Answer(400, "ExpiredToken"), errno.EACCES, "have expired (ExpiredToken); renew them"),
        ("ListObjects", Answer(301, "PermanentRedirect"), errno.ENXIO, "in another region; set the region"),
        ("ListObjects", Answer(400, "AuthorizationHeaderMalformed"), errno.ENXIO, "in another region"),
        ("PutObject", FULL, errno.ENOSPC, "is full (InsufficientStorage)"),
        ("PutManifest", FULL, errno.ENOSPC, "is full (InsufficientStorage)"),
        ("UploadPart", FULL, errno.ENOSPC, "is full (InsufficientStorage)"),
        ("CompleteUpload", FULL, errno.ENOSPC, "is full (InsufficientStorage)"),
        ("PutObject", Answer(403, "QuotaExceeded"), errno.ENOSPC, "is full (QuotaExceeded)"),
        ("PutManifest", Answer(404, "NoSuchBucket"), errno.ENXIO, "does not exist"),
    ],
)
async def test_loop_ends(
    moto: S3Server, s3_bucket: str, operation: str, answer: Answer, number: int, text: str
) -> None:
    """The error names the bucket and the remedy. No incomplete object and no part of an upload remains."""
    async with Emulator(populate=False) as server, server.client() as px:
        server.add_export(content={"csv": SMALL} | ({"json": BIG} if "Upload" in operation else {}))
        with faulty_server(moto, {operation: answer}) as faulty:
            bucket = new_bucket(faulty.server, s3_bucket)
            with pytest.raises(DestinationError) as caught:
                [report async for report in px.exports.download_all(bucket)]
    assert text in str(caught.value)
    assert f"s3://{s3_bucket}" in str(caught.value)
    assert caught.value.errno == number
    assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r}"
    if operation != "PutManifest":
        assert not any(key.endswith("json") for key in keys(moto.store(s3_bucket)))
    assert moto.uploads(s3_bucket) == ""


@pytest.mark.parametrize(
    "answers",
    [
        {"ListUploads": DENIED},
        {"ConditionalPut": Answer(501, "NotImplemented")},
        {"CompleteUpload": Answer(404, "NoSuchUpload", times=1)},
        {"UploadPart": Answer(404, "NoSuchUpload", times=1)},
    ],
)
async def test_objects_arrive(moto: S3Server, s3_bucket: str, answers: Mapping[str, Answer]) -> None:
    """These refusals are no reason to fail; another process may remove the parts of an upload once."""
    async with Emulator(populate=False) as server, server.client() as px:
        export = server.add_export(content={"csv": SMALL, "json": BIG})
        with faulty_server(moto, answers) as faulty:
            report = await px.exports.download(export.id, new_bucket(faulty.server, s3_bucket))
        assert report.ok
    names = (f"_packagex/{export.id}.json", f"{export.id}.csv", f"{export.id}.json")
    assert keys(moto.store(s3_bucket)) == [f"x/{name}" for name in names]


@pytest.mark.parametrize("operation", ["UploadPart", "CompleteUpload"], ids=["in the middle", "at the end"])
async def test_broken_server(moto: S3Server, s3_bucket: str, operation: str) -> None:
    """An error of the server fails the artifact; the others are complete and are kept later."""
    async with Emulator(populate=False) as server, server.client() as px:
        export = server.add_export(content={"csv": SMALL, "json": BIG})
        with faulty_server(moto, {operation: Answer(500, "InternalError", times=2)}) as faulty:
            bucket = new_bucket(faulty.server, s3_bucket)
            with pytest.raises(DownloadGroupError) as caught:
                await px.exports.download(export.id, bucket)
            report = caught.value.report
            assert [file.artifact for file in report.files] == ["csv"]
            assert "(InternalError)" in str(report.failures["json"])
            assert moto.uploads(s3_bucket) == ""
            again = await px.exports.download(export.id, new_bucket(moto, s3_bucket))
        assert {file.artifact: file.kept for file in again.files} == {"json": False, "csv": True}


async def test_upload_that_another_process_removes(moto: S3Server, s3_bucket: str) -> None:
    """Moto dates all uploads to 2010, so that another run removes one in progress: it starts again."""
    async with (
        Emulator(populate=False) as server,
        server.client(stall_timeout=1) as px,
        server.client() as other,
    ):
        export = server.add_export(content={"json": BIG})
        server.inject(Stall(after=8 * 1024 * 1024), times=1)
        task = asyncio.create_task(px.exports.download(export.id, new_bucket(moto, s3_bucket)))
        async with asyncio.timeout(60):
            while not moto.uploads(s3_bucket):
                await asyncio.sleep(0)
            report = await other.exports.download(export.id, new_bucket(moto, s3_bucket))
            assert report.ok
            assert (await task).ok
    assert keys(moto.store(s3_bucket)) == [f"x/_packagex/{export.id}.json", f"x/{export.id}.json"]


async def test_number_of_requests(moto: S3Server, s3_bucket: str) -> None:
    """An unchanged export needs one request, and the whole run one listing."""
    async with Emulator(populate=False) as server, server.client() as px:
        for number in range(20):
            server.add_export(content={"csv": b"a\n%d\n" % number})
        for expected in (
            {"ListObjects": 1, "ListUploads": 1, "PutObject": 20, "PutManifest": 20},
            {"ListObjects": 1, "ListUploads": 1, "GetManifest": 20},
        ):
            with faulty_server(moto, {}) as counting:
                bucket = new_bucket(counting.server, s3_bucket)
                assert all([report.ok async for report in px.exports.download_all(bucket)])
            assert counting.requests == expected
