"""Disk: a file appears whole or not at all, what was there stays, and the error says what the disk said."""

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
from tests.faults.responses import altered_response
from tests.faults.scenario import DownloadScenario, RawDownloadScenario
from tests.faults.storage_server import ConnectionEnd


async def test_the_very_file_is_there(scenario: DownloadScenario) -> None:
    """It is kept, and not fetched again."""
    await scenario.download()
    assert (await scenario.download()).kept


async def test_a_file_of_the_same_length_is_there(scenario: DownloadScenario) -> None:
    """Its hash tells that it is another; it is left alone, and the error names the way to replace it."""
    scenario.path().write_bytes(bytes(len(scenario.content)))
    error = await scenario.download_error(DestinationError)
    assert error.errno == errno.EEXIST
    assert "overwrite=True" in str(error)


async def test_a_file_of_another_length_is_there(scenario: DownloadScenario) -> None:
    """It is left alone, whether or not there is a hash."""
    scenario.path().write_bytes(b"old")
    scenario.server.inject(NoHash())
    await scenario.download_error(DestinationError)


async def test_a_file_is_there_and_nothing_tells_what_should_be(scenario: DownloadScenario) -> None:
    """Neither length nor hash is declared, so that it may be another: it is left alone."""
    scenario.path().write_bytes(scenario.content)
    scenario.server.inject(Undeclared(), times=None)
    await scenario.download_error(DestinationError)


async def test_overwriting(scenario: DownloadScenario) -> None:
    """The old file stands until the new one is whole, and then it is the new one."""
    scenario.path().write_bytes(b"old")
    scenario.server.inject(Cut(50_000))
    seen = set()

    def look(event: ProgressEvent) -> None:
        if event.received < len(scenario.content):
            seen.add(scenario.path().read_bytes())

    assert (await scenario.download(overwrite=True, on_progress=look)).kept is False
    assert seen == {b"old"}


@pytest.mark.parametrize("longer", [-1, 0, 1])
async def test_a_file_appears_meanwhile(raw: RawDownloadScenario, longer: int) -> None:
    """Another file that came to be during the transfer is not replaced unasked, whatever its length."""
    mine = bytes(len(raw.content) + longer)

    def appear(_: ProgressEvent) -> None:
        raw.path().write_bytes(mine)

    before = {raw.path().name: mine}
    async with raw.client() as px:
        with pytest.raises(DownloadGroupError) as caught:
            await px.exports.download(raw.export_id, raw.folder, on_progress=appear)
    raw.check(before, caught.value.report)


@pytest.mark.parametrize("overwrite", [False, True])
async def test_a_folder_at_the_target(scenario: DownloadScenario, overwrite: bool) -> None:
    """It is not a file to be replaced."""
    scenario.path().mkdir()
    await scenario.download_error(DestinationError, overwrite=overwrite)
    assert scenario.path().is_dir()


async def test_a_symlink_at_the_target(
    scenario: DownloadScenario, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It is not followed: what it points to is neither kept as the artifact nor written to."""
    outside = tmp_path_factory.mktemp("outside") / "file"
    outside.write_bytes(scenario.content)
    scenario.path().symlink_to(outside)
    await scenario.download_error(DestinationError)
    assert scenario.path().is_symlink()


async def test_overwriting_a_symlink(
    scenario: DownloadScenario, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The link is replaced, and what it points to stays as it was."""
    outside = tmp_path_factory.mktemp("outside") / "file"
    outside.write_bytes(b"not yours")
    scenario.path().symlink_to(outside)
    await scenario.download(overwrite=True)
    assert not scenario.path().is_symlink()
    assert outside.read_bytes() == b"not yours"


async def test_a_dangling_symlink_at_the_target(scenario: DownloadScenario) -> None:
    """Nothing is made where it points to."""
    scenario.path().symlink_to(scenario.folder / "nothing")
    await scenario.download_error(DestinationError)
    assert not (scenario.folder / "nothing").exists()


async def test_a_file_where_the_folder_should_be(scenario: DownloadScenario) -> None:
    """It stays, and the error names the path."""
    scenario.folder /= "file"
    scenario.folder.write_bytes(b"old")
    assert (await scenario.download_error(DestinationError)).filename == str(scenario.path())
    assert scenario.folder.read_bytes() == b"old"


async def test_a_folder_that_is_not_there(scenario: DownloadScenario) -> None:
    """It is made."""
    scenario.folder = scenario.folder / "new" / "folder"
    await scenario.download()


async def test_a_folder_that_vanishes(scenario: DownloadScenario) -> None:
    """Its disappearance in the middle of a file is an error, not a file elsewhere."""
    scenario.folder /= "vanishing"
    content = os.urandom(3_000_000)
    scenario.versions["csv"] = [content]
    scenario.export_id = scenario.server.add_export(content={"csv": content}).id

    def vanish(event: ProgressEvent) -> None:
        if event.received > 2_000_000:
            shutil.rmtree(scenario.folder, ignore_errors=True)

    error = await scenario.download_error(DestinationError, on_progress=vanish)
    assert error.errno == errno.ENOENT


async def test_a_name_that_is_too_long(scenario: DownloadScenario) -> None:
    """The operating system's refusal is passed on."""
    scenario.folder /= "x" * 300
    assert (await scenario.download_error(DestinationError)).errno == errno.ENAMETOOLONG


async def test_a_file_larger_than_the_system_takes(scenario: DownloadScenario) -> None:
    """It fails with EFBIG; of the others, those that fit arrive."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(scenario.content), hard))
    try:
        report = await scenario.run(artifacts=None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert report.files.keys() == ("json", "csv")
    assert [getattr(failure, "errno", None) for failure in report.failures] == [errno.EFBIG] * 2


async def test_flushed_to_the_medium(scenario: DownloadScenario) -> None:
    """With `durability="fsync"` the file arrives just the same."""
    await scenario.download(durability="fsync")


async def test_a_length_that_no_disk_has_room_for(raw: RawDownloadScenario) -> None:
    """Free space is looked at before the first write."""
    endless = altered_response(
        headers={"Content-Length": str(10**17)}, body=bytes(2_000_000), ending=ConnectionEnd.STALL
    )
    raw.always_respond_with(endless)
    assert (await raw.download_error(DestinationError)).errno == errno.ENOSPC


async def test_a_disk_with_too_little_room(scenario: DownloadScenario) -> None:
    """It is refused before the first write, and the siblings stop early."""
    with mounted(scenario.folder / "small", "size=64k"):
        scenario.folder /= "small"
        scenario.server.inject(Stall(0, artifact="json"))
        report = await scenario.run(artifacts=None)
    assert [getattr(failure, "errno", None) for failure in report.failures] == [errno.ENOSPC] * 4


async def test_a_disk_that_fills_up(scenario: DownloadScenario) -> None:
    """Where no length was declared, the disk itself says when it is full; no partial stays."""
    with mounted(scenario.folder / "small", "size=64k"):
        scenario.folder /= "small"
        scenario.server.inject(Undeclared())
        assert (await scenario.download_error(DestinationError)).errno == errno.ENOSPC


async def test_a_disk_that_is_read_only(scenario: DownloadScenario) -> None:
    """It fails with EROFS, which stops the siblings, too; the old file is still there."""
    with mounted(scenario.folder / "fixed", "size=1m") as folder:
        scenario.folder = folder
        scenario.path().write_bytes(b"old")
        assert run("mount", "-o", "remount,ro", folder)
        report = await scenario.run(artifacts=None, overwrite=True)
    assert [getattr(failure, "errno", None) for failure in report.failures] == [errno.EROFS] * 4


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A file system in memory, for as long as the block lasts; without the right to mount one, no test."""
    folder.mkdir()
    if not run("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder):
        pytest.skip("it takes a root that may mount file systems")
    try:
        yield folder
    finally:
        run("umount", "--lazy", folder)


def run(*command: str | Path) -> bool:
    """Run a command; whether it succeeded."""
    return subprocess.run(command, capture_output=True).returncode == 0
