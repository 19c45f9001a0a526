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
from tests.faults.host import Ending
from tests.faults.plays import CHUNKED, but, chunks
from tests.faults.trial import Raw, Trial


async def test_the_very_file_is_there(trial: Trial) -> None:
    """It is kept, and not fetched again."""
    await trial.arrives()
    assert (await trial.arrives()).kept


async def test_a_file_of_the_same_length_is_there(trial: Trial) -> None:
    """Its hash tells that it is another; it is left alone, and the error names the way to replace it."""
    trial.path().write_bytes(bytes(len(trial.content)))
    error = await trial.fails(DestinationError)
    assert error.errno == errno.EEXIST
    assert "overwrite=True" in str(error)


async def test_a_file_of_another_length_is_there(trial: Trial) -> None:
    """It is left alone, whether or not there is a hash."""
    trial.path().write_bytes(b"old")
    trial.server.inject(NoHash())
    await trial.fails(DestinationError)


async def test_the_very_file_is_there_and_only_a_hash_tells(raw: Raw) -> None:
    """A length is not needed to keep it, and no length keeps another one."""
    raw.always(but(headers=CHUNKED, body=chunks(raw.content)))
    raw.path().write_bytes(raw.content)
    file = await raw.arrives()
    assert (file.kept, file.verified) == (True, "checksum")
    raw.path().write_bytes(raw.content[:-1] + b"x")
    assert "is there already" in str(await raw.fails(DestinationError))


async def test_a_file_is_there_and_nothing_tells_what_should_be(trial: Trial) -> None:
    """Neither length nor hash is declared, so that it may be another: it is left alone."""
    trial.path().write_bytes(trial.content)
    trial.server.inject(Undeclared(), times=None)
    await trial.fails(DestinationError)


async def test_overwriting(trial: Trial) -> None:
    """The old file stands until the new one is whole, and then it is the new one."""
    trial.path().write_bytes(b"old")
    trial.server.inject(Cut(50_000))
    seen = set()

    def look(event: ProgressEvent) -> None:
        if event.received < len(trial.content):
            seen.add(trial.path().read_bytes())

    assert (await trial.arrives(overwrite=True, on_progress=look)).kept is False
    assert seen == {b"old"}


@pytest.mark.parametrize("longer", [-1, 0, 1])
async def test_a_file_appears_meanwhile(raw: Raw, longer: int) -> None:
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
async def test_a_folder_at_the_target(trial: Trial, overwrite: bool) -> None:
    """It is not a file to be replaced."""
    trial.path().mkdir()
    await trial.fails(DestinationError, overwrite=overwrite)
    assert trial.path().is_dir()


async def test_a_symlink_at_the_target(trial: Trial, tmp_path_factory: pytest.TempPathFactory) -> None:
    """It is not followed: what it points to is neither kept as the artifact nor written to."""
    outside = tmp_path_factory.mktemp("outside") / "file"
    outside.write_bytes(trial.content)
    trial.path().symlink_to(outside)
    await trial.fails(DestinationError)
    assert trial.path().is_symlink()


async def test_overwriting_a_symlink(trial: Trial, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The link is replaced, and what it points to stays as it was."""
    outside = tmp_path_factory.mktemp("outside") / "file"
    outside.write_bytes(b"not yours")
    trial.path().symlink_to(outside)
    await trial.arrives(overwrite=True)
    assert not trial.path().is_symlink()
    assert outside.read_bytes() == b"not yours"


async def test_a_dangling_symlink_at_the_target(trial: Trial) -> None:
    """Nothing is made where it points to."""
    trial.path().symlink_to(trial.folder / "nothing")
    await trial.fails(DestinationError)
    assert not (trial.folder / "nothing").exists()


async def test_a_file_where_the_folder_should_be(trial: Trial) -> None:
    """It stays, and the error names the path."""
    trial.folder /= "file"
    trial.folder.write_bytes(b"old")
    assert (await trial.fails(DestinationError)).filename == str(trial.path())
    assert trial.folder.read_bytes() == b"old"


async def test_a_folder_that_is_not_there(trial: Trial) -> None:
    """It is made."""
    trial.folder = trial.folder / "new" / "folder"
    await trial.arrives()


async def test_a_folder_that_vanishes(trial: Trial) -> None:
    """Its disappearance in the middle of a file is an error, not a file elsewhere."""
    trial.folder /= "vanishing"
    content = os.urandom(3_000_000)
    trial.wholes["csv"] = [content]
    trial.export_id = trial.server.add_export(content={"csv": content}).id

    def vanish(event: ProgressEvent) -> None:
        if event.received > 2_000_000:
            shutil.rmtree(trial.folder, ignore_errors=True)

    error = await trial.fails(DestinationError, on_progress=vanish)
    assert error.errno == errno.ENOENT


async def test_a_name_that_is_too_long(trial: Trial) -> None:
    """The operating system's refusal is passed on."""
    trial.folder /= "x" * 300
    assert (await trial.fails(DestinationError)).errno == errno.ENAMETOOLONG


async def test_a_file_larger_than_the_system_takes(trial: Trial) -> None:
    """It fails with EFBIG; of the others, those that fit arrive."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(trial.content), hard))
    try:
        report = await trial.report(artifacts=None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert report.files.keys() == ("json", "csv")
    assert [getattr(failure, "errno", None) for failure in report.failures] == [errno.EFBIG] * 2


async def test_flushed_to_the_medium(trial: Trial) -> None:
    """With `durability="fsync"` the file arrives just the same."""
    await trial.arrives(durability="fsync")


async def test_a_length_that_no_disk_has_room_for(raw: Raw) -> None:
    """Free space is looked at before the first write."""
    endless = but(headers={"Content-Length": str(10**17)}, body=bytes(2_000_000), ending=Ending.HOLD)
    raw.always(endless)
    assert (await raw.fails(DestinationError)).errno == errno.ENOSPC


async def test_a_disk_with_too_little_room(trial: Trial) -> None:
    """It is refused before the first write, and the siblings stop early."""
    with mounted(trial.folder / "small", "size=64k"):
        trial.folder /= "small"
        trial.server.inject(Stall(0, artifact="json"))
        report = await trial.report(artifacts=None)
    assert [getattr(failure, "errno", None) for failure in report.failures] == [errno.ENOSPC] * 4


async def test_a_disk_that_fills_up(trial: Trial) -> None:
    """Where no length was declared, the disk itself says when it is full; no partial stays."""
    with mounted(trial.folder / "small", "size=64k"):
        trial.folder /= "small"
        trial.server.inject(Undeclared())
        assert (await trial.fails(DestinationError)).errno == errno.ENOSPC


async def test_a_disk_that_is_read_only(trial: Trial) -> None:
    """It fails with EROFS, which stops the siblings, too; the old file is still there."""
    with mounted(trial.folder / "fixed", "size=1m") as folder:
        trial.folder = folder
        trial.path().write_bytes(b"old")
        assert run("mount", "-o", "remount,ro", folder)
        report = await trial.report(artifacts=None, overwrite=True)
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
