"""A directory that cannot be used, or a system without means, is an error of ours that says what to do."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
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
from packagex_async._files.operations import require_room, sync_folder
from packagex_async._partials.partial_writer import PartialFileWriter
from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async.testing import Emulator, Stall
from tests.support import AT_ONCE, names

LARGE = 2 * 1024 * 1024
"""Bytes that are not gathered to their end before the first of them is written."""


def refusing(number: int) -> Callable[..., Any]:
    """A call of the operating system that fails."""

    def fail(*_: object, **__: object) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


async def report_of(px: AsyncPackageX, export_id: str, folder: Path, **options: Any) -> DownloadReport:
    try:
        return await px.exports.download(export_id, folder, **options)
    except DownloadGroupError as error:
        return error.report


@pytest.mark.parametrize("directory", ["a\0b", "\0", "a/\ud800", None, 5, b"bytes"])
async def test_what_no_directory_can_be_called_is_refused_at_the_call(
    px: AsyncPackageX, server: Emulator, directory: Any
) -> None:
    """Before anything is sent or created, by every function that takes a directory."""
    with pytest.raises(ConfigurationError, match="directory must be a path"):
        await px.exports.download("exp_1", directory)
    with pytest.raises(ConfigurationError, match="directory must be a path"):
        await px.exports.export_and_download("contact", directory)
    with pytest.raises(ConfigurationError, match="directory must be a path"):
        px.exports.download_all(directory)
    with pytest.raises(ConfigurationError, match="directory must be a path"):
        verify_directory(directory)
    assert server.requests == []


async def test_a_name_that_is_not_text_is_a_name(px: AsyncPackageX, server: Emulator, tmp_path: Path) -> None:
    """A file system takes any bytes; an error about it can be printed all the same."""
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


async def test_without_a_thread_each_artifact_fails(
    px: AsyncPackageX, server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an error of the disk, whether or not there is something to look for first."""

    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    export = server.add_export(content={artifact.value: b"1" for artifact in Artifact})
    monkeypatch.setattr(threading.Thread, "start", none_left)
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


def test_too_few_descriptors_at_the_first_use_are_an_error_of_the_disk() -> None:
    """What is imported only then cannot be opened."""
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
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert told.stdout.split() == [str(errno.EMFILE), str(errno.EMFILE), "0"]


def test_too_few_descriptors_to_load_what_is_needed_are_a_configuration_error() -> None:
    """The message says what to do."""
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
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert "this process has too many open files" in told.stdout


@pytest.mark.parametrize("usage", [(0, 0, 0), errno.ENOSYS, errno.EACCES])
def test_a_file_system_that_tells_no_size_is_not_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, usage: Any
) -> None:
    """One that tells of too little room is."""
    told = refusing(usage) if isinstance(usage, int) else lambda _: shutil._ntuple_diskusage(*usage)
    monkeypatch.setattr(shutil, "disk_usage", told)
    require_room(tmp_path, 10**15)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    require_room(tmp_path, 0)
    with pytest.raises(OSError, match="no room for 1 bytes"):
        require_room(tmp_path, 1)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.ENOSYS])
def test_a_file_system_that_flushes_no_folders_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The file itself has been flushed; that a folder could not be, of one that can, is an error."""
    with monkeypatch.context() as special:
        special.setattr(os, "fsync", refusing(number))
        sync_folder(tmp_path)
    with monkeypatch.context() as special:
        special.setattr(os, "open", refusing(errno.EACCES))
        sync_folder(tmp_path)
    monkeypatch.setattr(os, "fsync", refusing(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        sync_folder(tmp_path)


@pytest.mark.parametrize("length", [10, LARGE])
@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL])
async def test_a_file_that_cannot_be_flushed_does_not_arrive(
    px: AsyncPackageX,
    server: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    length: int,
) -> None:
    """Whatever its folder can do."""
    export_id = server.add_export(content={"csv": bytes(length)}).id
    monkeypatch.setattr(os, "fsync", refusing(number))
    report = await report_of(px, export_id, tmp_path, artifacts="csv", durability="fsync")
    (failure,) = report.failures
    assert isinstance(failure, DestinationError)
    assert failure.errno == number
    assert names(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM, errno.EXDEV, errno.EMLINK])
async def test_a_file_system_without_hard_links_does_without(
    px: AsyncPackageX, server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The file arrives under a name of its own first."""
    export_id = server.add_export(content={"csv": b"a,b"}).id
    monkeypatch.setattr(os, "link", refusing(number))
    assert (await px.exports.download(export_id, tmp_path)).ok
    assert names(tmp_path) == [f"{export_id}.csv"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EIO, errno.ENAMETOOLONG])
async def test_what_a_disk_refuses_one_export_is_told_of_that_one(
    px: AsyncPackageX, server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The others arrive."""
    refused, other = (server.add_export(content={"csv": b"a,b"}).id for _ in range(2))
    mkdir = Path.mkdir

    def make(path: Path, *args: Any, **kwargs: Any) -> None:
        if path.name == refused:
            raise OSError(number, os.strerror(number))
        mkdir(path, *args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", make)
    reports = {one.export_id: one async for one in px.exports.download_all(tmp_path, layout="folders")}
    assert reports[other].ok
    (failure,) = reports[refused].failures
    assert isinstance(failure, DestinationError)
    assert failure.errno == number


async def test_a_cancellation_counts_for_more_than_a_full_disk(
    server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That what is left of the bytes cannot be written is not why the download has ended."""
    export_id = server.add_export(content={"csv": bytes(LARGE)}).id
    server.inject(Stall(LARGE - 10_000))
    under_way: list[asyncio.Task[Any]] = []

    def stop(event: ProgressEvent) -> None:
        if event.received == LARGE - 10_000:
            monkeypatch.setattr(os, "write", refusing(errno.ENOSPC))
            under_way[0].cancel()

    async with server.client(retry=AT_ONCE) as px:
        download = px.exports.download(export_id, tmp_path, artifacts="csv", resume=True, on_progress=stop)
        under_way.append(asyncio.create_task(download))
        with pytest.raises(asyncio.CancelledError):
            await under_way[0]


async def test_a_disk_that_refuses_the_last_bytes_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing else has gone wrong."""
    disk = FileExecutor()
    with pytest.raises(DiskError, match="No space left"):
        async with PartialFileWriter(disk, tmp_path / "a.csv") as part:
            await part.start(length=100, memo={"length": 100, "algorithm": None})
            await part.write(b"1", 0)
            monkeypatch.setattr(os, "write", refusing(errno.ENOSPC))
    disk.close()


async def test_metadata_that_cannot_be_written_leaves_nothing(
    server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transfer fails before its first byte is on the disk."""
    export_id = server.add_export(content={"csv": bytes(LARGE)}).id
    monkeypatch.setattr(Path, "replace", refusing(errno.EDQUOT))
    async with server.client(retry=RetryPolicy(attempts=1)) as px:
        report = await report_of(px, export_id, tmp_path, artifacts="csv", resume=True)
    (failure,) = report.failures
    assert isinstance(failure, DestinationError)
    assert failure.errno == errno.EDQUOT
    assert names(tmp_path) == []
