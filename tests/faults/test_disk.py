"""Disk: a file appears completely or not at all, existing files stay, and the error contains the cause."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from packagex_async import DestinationError, DownloadGroupError, ProgressEvent
from packagex_async.testing import Cut, NoHash, Stall, Undeclared
from tests.faults.responses import CHUNKED, altered_response, encode_chunks
from tests.faults.scenario import DownloadScenario, RawDownloadScenario
from tests.faults.storage_server import ConnectionEnd


async def test_identical_file_exists(scenario: DownloadScenario) -> None:
    """The file is kept and not downloaded again."""
    await scenario.download()
    assert (await scenario.download()).kept


@pytest.mark.hashes
async def test_other_file_of_same_length_exists(scenario: DownloadScenario) -> None:
    """The hash shows that the file differs: it stays, and the error suggests `overwrite=True`."""
    scenario.path().write_bytes(bytes(len(scenario.content)))
    error = await scenario.download_error(DestinationError)
    assert error.errno == errno.EEXIST
    assert "overwrite=True" in str(error)


async def test_other_file_of_other_length_exists(scenario: DownloadScenario) -> None:
    """The file stays, with or without a hash."""
    scenario.path().write_bytes(b"old")
    scenario.server.inject(NoHash())
    await scenario.download_error(DestinationError)


@pytest.mark.hashes
async def test_file_exists_and_only_hash_is_declared(raw: RawDownloadScenario) -> None:
    """Without a declared length, the hash decides whether the file is kept or causes an error."""
    raw.always_respond_with(altered_response(headers=CHUNKED, body=encode_chunks(raw.content)))
    raw.path().write_bytes(raw.content)
    file = await raw.download()
    assert (file.kept, file.verified) == (True, "checksum")
    raw.path().write_bytes(raw.content[:-1] + b"x")
    assert "exists" in str(await raw.download_error(DestinationError))


async def test_file_exists_and_nothing_is_declared(scenario: DownloadScenario) -> None:
    """Without a declared length or hash the file is compared with the bytes; it stays if it differs."""
    scenario.server.inject(Undeclared(), times=None)
    scenario.path().write_bytes(scenario.content)
    await scenario.download()
    scenario.path().write_bytes(b"other")
    await scenario.download_error(DestinationError)
    assert scenario.path().read_bytes() == b"other"


async def test_overwrite(scenario: DownloadScenario) -> None:
    """The old file stays until the new one is complete."""
    scenario.path().write_bytes(b"old")
    scenario.server.inject(Cut(50_000))
    seen = set()

    def read_target(event: ProgressEvent) -> None:
        if event.received < len(scenario.content):
            seen.add(scenario.path().read_bytes())

    assert (await scenario.download(overwrite=True, on_progress=read_target)).kept is False
    assert seen == {b"old"}


@pytest.mark.parametrize("longer", [-1, 0, 1])
async def test_file_appears_during_transfer(raw: RawDownloadScenario, longer: int) -> None:
    """A file that another process creates during the transfer is not replaced."""
    other = bytes(len(raw.content) + longer)

    def appear(_: ProgressEvent) -> None:
        raw.path().write_bytes(other)

    before = {raw.path().name: other}
    async with raw.client() as px:
        with pytest.raises(DownloadGroupError) as caught:
            await px.exports.download(raw.export_id, raw.folder, on_progress=appear)
    raw.check(before, caught.value.report)


@pytest.mark.parametrize("overwrite", [False, True])
async def test_folder_at_target(scenario: DownloadScenario, overwrite: bool) -> None:
    """A folder is never replaced by a file."""
    scenario.path().mkdir()
    await scenario.download_error(DestinationError, overwrite=overwrite)
    assert scenario.path().is_dir()


async def test_symlink_at_target(
    scenario: DownloadScenario, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The link is not followed: its target is neither accepted as the artifact nor written to."""
    outside = tmp_path_factory.mktemp("outside") / "file"
    outside.write_bytes(scenario.content)
    scenario.path().symlink_to(outside)
    await scenario.download_error(DestinationError)
    assert scenario.path().is_symlink()


async def test_overwrite_symlink(
    scenario: DownloadScenario, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The link is replaced, and its target stays unchanged."""
    outside = tmp_path_factory.mktemp("outside") / "file"
    outside.write_bytes(b"other")
    scenario.path().symlink_to(outside)
    await scenario.download(overwrite=True)
    assert not scenario.path().is_symlink()
    assert outside.read_bytes() == b"other"


async def test_dangling_symlink_at_target(scenario: DownloadScenario) -> None:
    """No file is created at the target of the link."""
    scenario.path().symlink_to(scenario.folder / "nothing")
    await scenario.download_error(DestinationError)
    assert not (scenario.folder / "nothing").exists()


async def test_file_at_path_of_folder(scenario: DownloadScenario) -> None:
    """The file stays, and the error contains the path."""
    scenario.folder /= "file"
    scenario.folder.write_bytes(b"old")
    assert (await scenario.download_error(DestinationError)).filename == str(scenario.path())
    assert scenario.folder.read_bytes() == b"old"


async def test_missing_folder(scenario: DownloadScenario) -> None:
    """The folder is created."""
    scenario.folder = scenario.folder / "new" / "folder"
    await scenario.download()


async def test_folder_removed_during_transfer(scenario: DownloadScenario) -> None:
    """The download fails, and no file is created elsewhere."""
    scenario.folder /= "vanishing"
    content = os.urandom(3_000_000)
    scenario.versions["csv"] = [content]
    scenario.export_id = scenario.server.add_export(content={"csv": content}).id

    def vanish(event: ProgressEvent) -> None:
        if event.received > 2_000_000:
            shutil.rmtree(scenario.folder, ignore_errors=True)

    error = await scenario.download_error(DestinationError, on_progress=vanish)
    assert error.errno == errno.ENOENT


async def test_too_long_name(scenario: DownloadScenario) -> None:
    """The error contains the error number of the operating system."""
    scenario.folder /= "x" * 300
    assert (await scenario.download_error(DestinationError)).errno == errno.ENAMETOOLONG


async def test_file_size_limit(scenario: DownloadScenario) -> None:
    """Artifacts above the limit of the system fail with EFBIG, and the others arrive."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(scenario.content), hard))
    try:
        report = await scenario.run(artifacts=None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert report.files.keys() == ("json", "csv")
    assert [getattr(failure, "errno", None) for failure in report.failures] == [errno.EFBIG] * 2


async def test_fsync(scenario: DownloadScenario) -> None:
    """The artifact arrives with `durability="fsync"`."""
    await scenario.download(durability="fsync")


async def test_declared_length_above_free_space(raw: RawDownloadScenario) -> None:
    """Free space is checked before the first write."""
    response = altered_response(
        headers={"Content-Length": str(10**17)}, body=bytes(2_000_000), ending=ConnectionEnd.STALL
    )
    raw.always_respond_with(response)
    assert (await raw.download_error(DestinationError)).errno == errno.ENOSPC


async def test_too_little_free_space(scenario: DownloadScenario) -> None:
    """The download fails before the first write, and the other artifacts are cancelled."""
    with mounted(scenario.folder / "small", "size=64k"):
        scenario.folder /= "small"
        scenario.server.inject(Stall(0, artifact="json"))
        report = await scenario.run(artifacts=None)
    assert [getattr(failure, "errno", None) for failure in report.failures] == [errno.ENOSPC] * 4


async def test_disk_full_during_transfer(scenario: DownloadScenario) -> None:
    """Without a declared length, the write fails with ENOSPC and the partial file is removed."""
    with mounted(scenario.folder / "small", "size=64k"):
        scenario.folder /= "small"
        scenario.server.inject(Undeclared())
        assert (await scenario.download_error(DestinationError)).errno == errno.ENOSPC


async def test_read_only_disk(scenario: DownloadScenario) -> None:
    """All artifacts fail with EROFS, and the old file stays."""
    with mounted(scenario.folder / "fixed", "size=1m") as folder:
        scenario.folder = folder
        scenario.path().write_bytes(b"old")
        assert run("mount", "-o", "remount,ro", folder)
        report = await scenario.run(artifacts=None, overwrite=True)
    assert [getattr(failure, "errno", None) for failure in report.failures] == [errno.EROFS] * 4


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """Mount a file system in memory for the duration of the block; skip the test without permission."""
    folder.mkdir()
    if not run("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder):
        pytest.skip("mounting file systems requires root privileges")
    try:
        yield folder
    finally:
        run("umount", "--lazy", folder)


def run(*command: str | Path) -> bool:
    """Run a command; return whether it succeeded."""
    return subprocess.run(command, capture_output=True).returncode == 0
