"""Failures of storage, disks and callbacks: which ones are retried, and how they are reported."""

from __future__ import annotations

import errno
import resource
from pathlib import Path

import attrs
import pytest

from packagex_async import (
    Artifact,
    AsyncPackageX,
    ChecksumError,
    DestinationError,
    DownloadError,
    DownloadGroupError,
    IncompleteBodyError,
    LinkExpiredError,
    ProgressEvent,
    ProgressKind,
    RetryPolicy,
    StalledError,
    StorageError,
    StorageUnreachableError,
)
from packagex_async.testing import (
    Cut,
    Emulator,
    Expired,
    LyingLength,
    Redirect,
    Refuse,
    Reset,
    Stall,
    Status,
    WrongHash,
)
from packagex_async.testing.faults import TargetedFault
from tests.integration.download.helpers import add, download_error
from tests.support import FakeClock, names, open_exports
from tests.time_limits import LIMIT, LIMITED


@pytest.mark.parametrize(
    "fault",
    [Cut(100_000), Reset(100_000), Refuse(), Stall(100_000), WrongHash(), LyingLength(5),
     *(Status(status, on="storage") for status in (408, 429, 500, 502, 503, 504))],
    ids=lambda fault: repr(fault).partition(", on=")[0],
)  # fmt: skip
@pytest.mark.usefixtures("limits")
async def test_temporary_storage_failure_is_retried(
    server: Emulator, tmp_path: Path, fault: TargetedFault
) -> None:
    """The second attempt succeeds; the report and the events contain the retry."""
    export_id = add(server)
    server.inject(fault)
    events: list[ProgressEvent] = []
    clock = FakeClock()
    async with open_exports(clock, server, timeout=LIMIT) as exports:
        report = await exports.download(export_id, tmp_path, artifacts="csv", on_progress=events.append)
    assert report.files["csv"].attempts == 2
    assert report.files["csv"].path.read_bytes() == server.content(export_id, "csv")
    assert names(tmp_path) == [f"{export_id}.csv"]
    (retrying,) = [event for event in events if event.kind is ProgressKind.RETRYING]
    assert retrying.error is not None
    assert retrying.delay == sum(clock.sleeps)


async def test_trap_14_retry_after_of_storage_is_respected(server: Emulator, tmp_path: Path) -> None:
    """A `Retry-After` above the limit is not waited for."""
    export_id = add(server, 10)
    server.inject(Status(503, retry_after="40", on="storage"))
    clock = FakeClock(jitter_fraction=0.0)
    async with open_exports(clock, server) as exports:
        await exports.download(export_id, tmp_path, artifacts="csv")
        assert clock.sleeps == [40]
        server.inject(Status(429, retry_after="4000", on="storage"))
        with pytest.raises(DownloadGroupError) as caught:
            await exports.download(export_id, tmp_path, artifacts="json")
    (failure,) = caught.value.report.failures
    assert isinstance(failure, StorageError)
    assert (failure.status, failure.retry_after) == (429, 4000)


@pytest.mark.parametrize(
    ("fault", "kind", "attempts"),
    [
        (Cut(0), IncompleteBodyError, 3),
        (Reset(0), IncompleteBodyError, 3),
        (LyingLength(7), IncompleteBodyError, 5),
        (Stall(0), StalledError, 3),
        (Refuse(), StorageUnreachableError, 3),
        (WrongHash(), ChecksumError, 2),
        (Expired(), LinkExpiredError, 2),
        (Status(404, on="storage"), StorageError, 2),
        (Status(206, on="storage"), StorageError, 1),
        (Status(503, on="storage"), StorageError, 3),
        (Redirect("file:///etc/passwd"), StorageError, 1),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
@pytest.mark.usefixtures("limits")
async def test_trap_26_permanent_failure_of_one_artifact(
    server: Emulator, tmp_path: Path, fault: TargetedFault, kind: type[DownloadError], attempts: int
) -> None:
    """Three artifacts arrive; the fourth fails with the right error and leaves no file."""
    export_id = add(server, 30_000)
    server.inject(attrs.evolve(fault, artifact="csv"), times=None)
    policy = RetryPolicy(attempts=3, wait_initial=0)
    events: list[ProgressEvent] = []
    async with server.client(retry=policy, **LIMITED) as px:
        error = await download_error(px, export_id, tmp_path, on_progress=events.append)
    (failure,) = error.report.failures
    assert type(failure) is kind
    assert (failure.export_id, failure.artifact) == (export_id, Artifact.CSV)
    assert failure in error.exceptions
    assert error.report.failures["csv"] is failure
    assert error.report.files.keys() == ("json", "csv_error", "csv_sanitized")
    assert len(names(tmp_path)) == 3
    assert "csv: failed" in str(error.report)
    failed = [event for event in events if event.kind is ProgressKind.FAILED]
    assert [(event.artifact, event.error) for event in failed] == [(Artifact.CSV, failure)]
    assert len([request for request in server.requests if request.artifact == "csv"]) == attempts


async def test_one_attempt_means_no_retry(server: Emulator, tmp_path: Path) -> None:
    """A wrong hash is not retried either."""
    export_id = add(server, 3000)
    server.inject(WrongHash(artifact="csv"))
    server.inject(Cut(10, artifact="json"))
    async with server.client(retry=RetryPolicy(attempts=1)) as px:
        error = await download_error(px, export_id, tmp_path)
    assert error.report.failures.keys() == ("json", "csv")


async def test_trap_02_attempts_with_progress_do_not_count(server: Emulator, tmp_path: Path) -> None:
    """A repeatedly interrupted transfer succeeds, and no byte is requested twice."""
    export_id = add(server, 3000)
    server.inject(Cut(200, artifact="csv"), times=14)
    async with server.client(retry=RetryPolicy(attempts=2, wait_initial=0)) as px:
        report = await px.exports.download(export_id, tmp_path, artifacts="csv")
    file = report.files["csv"]
    assert (file.attempts, file.resumed, file.verified) == (15, True, "checksum")
    assert file.path.read_bytes() == server.content(export_id, "csv")
    ranges = [request.headers.get("Range") for request in server.requests if request.host == "storage"]
    assert ranges == [None, *(f"bytes={200 * number}-" for number in range(1, 15))]


async def test_error_in_callback_is_raised(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """An exception in `on_progress` is raised, and no partial file remains."""
    export_id = add(server)

    def broken(event: ProgressEvent) -> None:
        if event.kind is ProgressKind.ADVANCED:
            raise BrokenPipeError("error of the caller")

    with pytest.raises(ExceptionGroup) as caught:
        await px.exports.download(export_id, tmp_path, on_progress=broken)
    assert not isinstance(caught.value, DownloadGroupError)
    assert caught.value.subgroup(BrokenPipeError) is not None
    assert names(tmp_path) == []


async def test_unusable_path_is_destination_error(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """A file at the path of the folder, and a folder at the path of the file."""
    export_id = add(server, 10)
    (tmp_path / "file").touch()
    (tmp_path / f"{export_id}.csv").mkdir()
    for folder in (tmp_path / "file", tmp_path):
        error = await download_error(px, export_id, folder, artifacts="csv")
        (failure,) = error.report.failures
        assert isinstance(failure, DestinationError)
        assert failure.filename == str(folder / f"{export_id}.csv")
        assert failure.__cause__ is not None
    error = await download_error(px, export_id, tmp_path, artifacts="csv", overwrite=True)
    assert isinstance(error.report.failures["csv"], DestinationError)
    assert names(tmp_path) == [f"{export_id}.csv", "file"]


async def test_trap_23_failed_write_is_destination_error(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """The error contains the path and the error number, and no partial file remains."""
    export_id = add(server, 200_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        error = await download_error(px, export_id, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    for failure in error.report.failures:
        assert isinstance(failure, DestinationError)
        assert failure.errno == errno.EFBIG
    assert names(tmp_path) == []
