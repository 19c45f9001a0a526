"""Unusable directories and exhausted system resources cause errors that suggest a solution."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packagex_async import (
    Artifact,
    AsyncPackageX,
    ConfigurationError,
    DestinationError,
    DirectoryError,
    DownloadGroupError,
    DownloadReport,
    ProgressEvent,
    RetryPolicy,
    verify_directory,
)
from packagex_async._files.disk_errors import DiskError
from packagex_async._files.executor import FileExecutor
from packagex_async._partials.partial_writer import PartialFileWriter
from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async.testing import Emulator, Stall
from tests.support import NO_BACKOFF, names

LARGE = 2 * 1024 * 1024
"""A size above which a body is written in several steps."""


def failing_call(number: int) -> Callable[..., Any]:
    """Return a function that fails with an error of the operating system."""

    def fail(*_: object, **__: object) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


async def report_of(px: AsyncPackageX, export_id: str, folder: Path, **options: Any) -> DownloadReport:
    try:
        return await px.exports.download(export_id, folder, **options)
    except DownloadGroupError as error:
        return error.report


@pytest.mark.parametrize("directory", ["a\0b", "\0", "a/\ud800", None, 5, b"bytes"])
async def test_invalid_directory_is_refused_at_the_call(
    px: AsyncPackageX, server: Emulator, directory: Any
) -> None:
    """Every function that takes a directory checks it before anything is sent or created."""
    with pytest.raises(ConfigurationError, match="directory must be a path"):
        await px.exports.download("exp_1", directory)
    with pytest.raises(ConfigurationError, match="directory must be a path"):
        await px.exports.export_and_download("contact", directory)
    with pytest.raises(ConfigurationError, match="directory must be a path"):
        px.exports.download_all(directory)
    with pytest.raises(ConfigurationError, match="directory must be a path"):
        verify_directory(directory)
    assert server.requests == []


async def test_undecodable_directory_name(px: AsyncPackageX, server: Emulator, tmp_path: Path) -> None:
    """The directory is used, and an error about it can be printed."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    export_id = server.add_export(content={"csv": b"a,b"}).id
    async for report in px.exports.download_all(folder):
        assert report.ok
    assert [file.state.value async for file in verify_directory(folder)] == ["exact"]
    (folder / f"{export_id}.csv").unlink()
    (folder / f"{export_id}.csv").mkdir()
    (failure,) = (await report_of(px, export_id, folder)).failures
    assert isinstance(failure, DestinationError)
    assert str(failure).encode()
    assert failure.filename == str(folder / f"{export_id}.csv")


async def test_no_thread_available(
    px: AsyncPackageX, server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each artifact fails with `DestinationError`, with and without existing files."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    export = server.add_export(content={artifact.value: b"1" for artifact in Artifact})
    monkeypatch.setattr(threading.Thread, "start", start)
    for options in ({}, {"overwrite": True}, {"resume": True}):
        report = await report_of(px, export.id, tmp_path, **options)
        assert len(report.failures) == 4
        for failure in report.failures:
            assert isinstance(failure, DestinationError)
            assert "no thread can be started" in str(failure)
    with pytest.raises(DestinationError, match="no thread can be started"):
        await anext(px.exports.download_all(tmp_path))
    (tmp_path / MANIFEST_NAME).touch()
    with pytest.raises(DirectoryError, match="no thread can be started"):
        await anext(verify_directory(tmp_path))
    monkeypatch.undo()
    assert (await px.exports.download(export.id, tmp_path)).ok


def test_too_many_open_files_at_first_use() -> None:
    """Modules that are imported at the first use cannot be opened: the operation fails with EMFILE."""
    script = (
        "import asyncio, resource, sys; from pathlib import Path\n"
        "from packagex_async._files.disk_errors import DiskError\n"
        "from packagex_async._files.executor import FileExecutor\n"
        "async def main():\n"
        "    disk, files = FileExecutor(), []\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "    try:\n"
        "        while True: files.append(open('/dev/null'))\n"
        "    except OSError: pass\n"
        "    for work in (disk.run(Path('x'), int), disk.run_short(Path('x'), open, 'x')):\n"
        "        try: await work\n"
        "        except DiskError as error: print(error.cause.errno)\n"
        "    files.clear()\n"
        "    print(await disk.run(Path('x'), int))\n"
        "asyncio.run(main())\n"
    )
    result = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert result.stdout.split() == [str(errno.EMFILE), str(errno.EMFILE), "0"]


def test_too_many_open_files_during_import() -> None:
    """The `ConfigurationError` states the cause."""
    script = (
        "import resource; from packagex_async import AsyncPackageX, ConfigurationError\n"
        "px, files = AsyncPackageX('key'), []\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "try:\n"
        "    while True: files.append(open('/dev/null'))\n"
        "except OSError: pass\n"
        "try: px.exports.download_all('x')\n"
        "except ConfigurationError as error: print(error)\n"
        "files.clear()\n"
    )
    result = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert "this process has too many open files" in result.stdout


@pytest.mark.parametrize("length", [10, LARGE])
@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL])
async def test_failed_fsync_of_file_is_an_error(
    px: AsyncPackageX,
    server: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    length: int,
) -> None:
    """The artifact fails, and no file remains."""
    export_id = server.add_export(content={"csv": bytes(length)}).id
    monkeypatch.setattr(os, "fsync", failing_call(number))
    report = await report_of(px, export_id, tmp_path, artifacts="csv", durability="fsync")
    (failure,) = report.failures
    assert isinstance(failure, DestinationError)
    assert failure.errno == number
    assert names(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM, errno.EXDEV, errno.EMLINK])
async def test_file_system_without_hard_links(
    px: AsyncPackageX, server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The artifact is published without a hard link."""
    export_id = server.add_export(content={"csv": b"a,b"}).id
    monkeypatch.setattr(os, "link", failing_call(number))
    assert (await px.exports.download(export_id, tmp_path)).ok
    assert names(tmp_path) == [f"{export_id}.csv"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EIO, errno.ENAMETOOLONG])
async def test_disk_error_of_one_export(
    px: AsyncPackageX, server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The other export arrives."""
    refused, other = (server.add_export(content={"csv": b"a,b"}).id for _ in range(2))
    mkdir = Path.mkdir

    def make(path: Path, *args: Any, **kwargs: Any) -> None:
        if path.name == refused:
            raise OSError(number, os.strerror(number))
        mkdir(path, *args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", make)
    reports = {
        report.export_id: report async for report in px.exports.download_all(tmp_path, layout="folders")
    }
    assert reports[other].ok
    (failure,) = reports[refused].failures
    assert isinstance(failure, DestinationError)
    assert failure.errno == number


async def test_cancellation_takes_precedence_over_full_disk(
    server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed write of the remaining bytes does not replace the `CancelledError`."""
    export_id = server.add_export(content={"csv": bytes(LARGE)}).id
    server.inject(Stall(LARGE - 10_000))
    tasks: list[asyncio.Task[Any]] = []

    def cancel(event: ProgressEvent) -> None:
        if event.received == LARGE - 10_000:
            monkeypatch.setattr(os, "write", failing_call(errno.ENOSPC))
            tasks[0].cancel()

    async with server.client(retry=NO_BACKOFF) as px:
        download = px.exports.download(export_id, tmp_path, artifacts="csv", resume=True, on_progress=cancel)
        tasks.append(asyncio.create_task(download))
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]


async def test_failed_write_at_close_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is raised if no other error occurred."""
    disk = FileExecutor()
    with pytest.raises(DiskError, match="No space left"):
        async with PartialFileWriter(disk, tmp_path / "a.csv", direct_write_min_size=1) as writer:
            await writer.start(length=100, metadata={"length": 100, "algorithm": None})
            await writer.write(b"1", 0)
            monkeypatch.setattr(os, "write", failing_call(errno.ENOSPC))
    disk.close()


async def test_failed_write_of_metadata(
    server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The artifact fails before its first byte is written, and no file remains."""
    export_id = server.add_export(content={"csv": bytes(LARGE)}).id
    monkeypatch.setattr(Path, "replace", failing_call(errno.EDQUOT))
    async with server.client(retry=RetryPolicy(attempts=1)) as px:
        report = await report_of(px, export_id, tmp_path, artifacts="csv", resume=True)
    (failure,) = report.failures
    assert isinstance(failure, DestinationError)
    assert failure.errno == errno.EDQUOT
    assert names(tmp_path) == []
