"""Failures of artifacts, exports, listings, keys and disks during `download_all`."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from packagex_async import (
    AsyncPackageX,
    AuthenticationError,
    DestinationError,
    ExportFailedError,
    ExportGoneError,
    ExportNotReadyError,
    ExportTimedOutError,
    PaginationError,
    PermissionDeniedError,
    ProgressEvent,
    ProgressKind,
    ServerError,
    StorageError,
)
from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async.testing import (
    Delete,
    Emulator,
    Expired,
    RecordedRequest,
    Status,
    serve_in_thread,
)
from packagex_async.testing.data.store import Store
from packagex_async.testing.faults import Fault
from packagex_async.testing.server.reply import Reply
from tests.support import NO_BACKOFF, FakeClock, names, open_exports
from tests.sync_support import add, assert_exact, manifest, requested, settle, sync


@pytest.fixture
def thread_server() -> Iterator[Emulator]:
    """An empty emulator in another thread, so that all tasks of the event loop belong to the client."""
    with serve_in_thread(Emulator(populate=False)) as server:
        yield server


async def test_failures_are_reported_per_export(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """Failures of an artifact, an export or its retrieval are in the report of that export."""
    good, forbidden, broken, failed, late, queued = add(server, 6)
    for export_id, status in ((failed, "failed"), (late, "timed_out"), (queued, "queued")):
        server.update_export(export_id, status=status)
    server.inject(Status(403, on="storage", export_id=forbidden, artifact="csv"), times=None)
    server.inject(Status(500, on="api", export_id=broken), times=None)
    reports = await sync(px, tmp_path)
    assert reports[good].ok
    assert isinstance(reports[forbidden].failures["csv"], StorageError)
    assert len(reports[forbidden].files) == 3
    errors = {
        broken: ServerError,
        failed: ExportFailedError,
        late: ExportTimedOutError,
        queued: ExportNotReadyError,
    }
    for export_id, kind in errors.items():
        report = reports[export_id]
        assert isinstance(report.error, kind)
        assert not report.ok
        assert f"failed: {report.error}" in str(report)
        with pytest.raises(kind):
            report.raise_for_failures()


async def test_export_deleted_before_its_download(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Only the report of that export has an error."""
    first, second = add(server, 2)
    server.inject(Delete(second))
    reports = await sync(px, tmp_path)
    assert reports[first].ok
    assert isinstance(reports[second].error, ExportGoneError)
    assert_exact(server, tmp_path)


async def test_export_deleted_during_its_download(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """The report has the files that are complete, and the error."""
    (export_id,) = add(server, 1)
    server.inject(DeletedExport(export_id=export_id, artifact="csv_error"))
    reports = await sync(px, tmp_path, concurrency=1)
    assert isinstance(reports[export_id].error, ExportGoneError)
    assert reports[export_id].files.keys() == ("json", "csv")
    assert [line["artifact"] for line in manifest(tmp_path)] == ["json", "csv"]


@attrs.frozen
class DeletedExport(Expired):
    """The export is deleted when this artifact is requested."""

    def rewrite_request(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        store.delete(request.export_id or "")
        return super().rewrite_request(request, store)


@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (403, PermissionDeniedError)])
@pytest.mark.parametrize("where", ["listing", "retrieval", "renewal"])
async def test_refused_key_ends_all_downloads(
    thread_server: Emulator, tmp_path: Path, status: int, kind: type[Exception], where: str
) -> None:
    """It ends them at once, and leaves no task."""
    server = thread_server
    added = add(server, 30)
    if where == "listing":
        server.inject(Status(status, on="api"))
    elif where == "retrieval":
        server.inject(Status(status, on="api", export_id=added[5]), times=None)
    else:
        server.inject(KeyRefusedAtRefresh(status, added[5]), times=None)
        server.inject(Expired(export_id=added[5]), times=None)
    before = asyncio.all_tasks()
    async with server.client(retry=NO_BACKOFF) as px:
        with pytest.raises(kind):
            await sync(px, tmp_path, concurrency=2)
    await settle()
    assert asyncio.all_tasks() == before
    assert len([request for request in requested(server) if "/" in request]) < 60


@attrs.frozen
class KeyRefusedAtRefresh(Fault):
    """The API refuses the key from the second retrieval of an export on."""

    status: int
    export_id: str
    seen: list[bool] = attrs.field(factory=list)

    def matches(self, request: RecordedRequest) -> bool:
        if (request.host, request.export_id) != ("api", self.export_id):
            return False
        self.seen.append(True)
        return len(self.seen) > 1

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        return Reply.of(self.status)


def fail_for_file(monkeypatch: pytest.MonkeyPatch, name: str, fail: Callable[[], object]) -> None:
    """Call `fail` when the file called `name` gets its place, by either of two functions."""

    def failing(function: Callable[..., None]) -> Callable[..., None]:
        def call(source: object, target: Path, **options: Any) -> None:
            if Path(target).name == name:
                fail()
            function(source, target, **options)

        return call

    monkeypatch.setattr(os, "link", failing(os.link))
    monkeypatch.setattr(os, "replace", failing(os.replace))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
async def test_full_disk_ends_all_downloads(
    thread_server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """No partial file remains, and existing files are complete."""
    added = add(thread_server, 30)

    def fail() -> None:
        raise OSError(number, os.strerror(number))

    fail_for_file(monkeypatch, f"{added[3]}.csv", fail)
    before = asyncio.all_tasks()
    async with thread_server.client(retry=NO_BACKOFF) as px:
        with pytest.raises(DestinationError) as caught:
            await sync(px, tmp_path, concurrency=2, resume=False)
    assert caught.value.errno == number
    await settle()
    assert asyncio.all_tasks() == before
    assert len(names(tmp_path)) < 40
    assert not [name for name in names(tmp_path) if name.startswith(".")]


async def test_fatal_error_loses_no_report(
    thread_server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exports that were recorded before it are reported, although the consumer is slow."""
    *others, last = add(thread_server, 7)
    recorded = threading.Event()

    def fail() -> None:
        assert recorded.wait(120)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    fail_for_file(monkeypatch, f"{last}.csv", fail)
    reported: list[str] = []
    failed = asyncio.Event()

    def on_progress(event: ProgressEvent) -> None:
        if event.kind is ProgressKind.FAILED:
            failed.set()

    async with thread_server.client(retry=NO_BACKOFF) as px:
        with pytest.raises(DestinationError):
            async for report in px.exports.download_all(tmp_path, concurrency=4, on_progress=on_progress):
                reported.append(report.export_id)
                if len(reported) == 1:
                    while len({entry["export_id"] for entry in manifest(tmp_path)}) < len(others):
                        await asyncio.sleep(0)
                    await settle()
                    recorded.set()
                    await failed.wait()
                    await settle()
    assert sorted(reported) == sorted(others)


@pytest.mark.parametrize("is_full", [False, True])
async def test_manifest_that_becomes_unusable_ends_all_downloads(
    thread_server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_full: bool
) -> None:
    """If an artifact fails for a fatal reason, the error names the artifact instead."""
    (export_id,) = add(thread_server, 1)
    path = tmp_path / MANIFEST_NAME

    def replace_manifest() -> None:
        if path.is_file():
            path.unlink()
            path.mkdir()
        if is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    fail_for_file(monkeypatch, f"{export_id}.csv", replace_manifest)
    async with thread_server.client(retry=NO_BACKOFF) as px:
        with pytest.raises(DestinationError) as caught:
            await sync(px, tmp_path)
    named = tmp_path / f"{export_id}.csv" if is_full else path
    assert caught.value.filename == str(named)


async def test_unusable_manifest_ends_all_downloads(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Without a manifest, every run would download everything again."""
    add(server, 3)
    (tmp_path / MANIFEST_NAME).mkdir()
    with pytest.raises(
        DestinationError, match=f"{MANIFEST_NAME} cannot be kept: .*{MANIFEST_NAME} is a directory"
    ):
        await sync(px, tmp_path)


async def test_listing_error_is_raised_after_the_downloads(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Exports that were already listed are downloaded first."""
    found = add(server, 4)
    server.inject(FailingPage(2), times=None)
    done = []
    with pytest.raises(ServerError):
        async for report in px.exports.download_all(tmp_path, limit=2):
            done.append(report.export_id)
    assert sorted(done) == sorted(found[:2])


@attrs.frozen
class FailingPage(Fault):
    """The API fails for one page of the listing."""

    page: int

    def matches(self, request: RecordedRequest) -> bool:
        return request.query.get("page") == str(self.page)

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        return Reply.of(500)


async def test_listing_that_does_not_advance_is_an_error(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """It is raised after the downloads, as for `list`."""
    add(server, 4)
    server.inject(RepeatedPage(2), times=None)
    done = []
    with pytest.raises(PaginationError):
        async for report in px.exports.download_all(tmp_path, limit=2):
            done.append(report)
    assert len(done) == 2


@attrs.frozen
class RepeatedPage(FailingPage):
    """The response for the page is the previous page."""

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        envelope = json.loads(reply.body)
        envelope["pagination"] |= {"page": 1, "has_more": True}
        envelope["data"] = []
        return Reply.of(200, json.dumps(envelope).encode())


async def test_exception_in_on_progress_is_raised(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """It ends all downloads."""
    add(server, 5)

    def fail(_: ProgressEvent) -> None:
        raise LookupError("bug")

    with pytest.raises(ExceptionGroup) as caught:
        await sync(px, tmp_path, on_progress=fail)
    assert caught.group_contains(LookupError)


async def test_storage_rate_limit_is_respected(server: Emulator, tmp_path: Path) -> None:
    """Everything is downloaded after the `Retry-After` time."""
    clock = FakeClock()
    add(server, 10)
    server.inject(Status(429, retry_after="60", on="storage"), times=5)
    async with open_exports(clock, server) as exports:
        started_at = clock.now
        assert all([report.ok async for report in exports.download_all(tmp_path)])
        assert clock.now - started_at >= 60
    assert_exact(server, tmp_path)
