"""`download_all` removes old files of deleted exports, and no other files."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from packagex_async import (
    AsyncPackageX,
    ConfigurationError,
    DirectoryError,
    PackageXError,
    PrunedFile,
    verify_directory,
)
from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async.testing import Emulator, Status, TargetedFault
from tests.sync_support import add, manifest, requested, sync

OLD = "2020-01-01T00:00:00+00:00"


def make_old(folder: Path, when: str = OLD) -> None:
    """Change the date of all entries of the manifest."""
    lines = [json.dumps(entry | {"when": when}, separators=(",", ":")) for entry in manifest(folder)]
    (folder / MANIFEST_NAME).write_text("".join(f"{line}\n" for line in lines))


async def prune(px: AsyncPackageX, folder: Path, **options: Any) -> list[tuple[str, str]]:
    """Remove files that are older than 30 days; return names and outcomes."""
    files: list[PrunedFile] = []
    await sync(px, folder, prune_after=timedelta(days=30), on_prune=files.append, **options)
    return sorted((file.path.name, file.outcome) for file in files)


async def states(folder: Path) -> Counter[str]:
    return Counter([file.state.value async for file in verify_directory(folder)])


@pytest.fixture
async def folder(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> Path:
    """A directory with old files of one export that exists, and of one that was deleted."""
    gone = add(server, 1, export_id="exp_gone", content={"csv": b"a,b\n", "json": b"[]"})
    add(server, 1, export_id="exp_there", content={"csv": b"a,b\n"})
    folder = tmp_path / "exports"
    await sync(px, folder, layout="folders")
    make_old(folder)
    server.delete_export(gone[0])
    return folder


async def test_old_files_are_removed(server: Emulator, px: AsyncPackageX, folder: Path) -> None:
    """Their directory, too. The directory then verifies, and the next run fetches nothing."""
    expected = [("exp_gone.csv", "removed"), ("exp_gone.json", "removed")]
    assert await prune(px, folder, layout="folders") == expected
    assert not (folder / "exp_gone").exists()
    assert await states(folder) == {"exact": 1}
    before = len(server.requests)
    assert await prune(px, folder, layout="folders") == []
    assert not [target for target in requested(server, before) if "/" in target]


async def test_filters_do_not_hide_exports(px: AsyncPackageX, folder: Path) -> None:
    """An export that a filter excludes still exists, so its files stay."""
    removed = await prune(px, folder, layout="folders", resource="tracker", durability="fsync")
    assert [name for name, _ in removed] == ["exp_gone.csv", "exp_gone.json"]


async def test_dry_run_removes_nothing(px: AsyncPackageX, folder: Path) -> None:
    """The files are reported as planned, and the manifest is unchanged."""
    before = (folder / MANIFEST_NAME).read_bytes()
    planned = await prune(px, folder, layout="folders", dry_run=True)
    assert planned == [("exp_gone.csv", "planned"), ("exp_gone.json", "planned")]
    assert (folder / MANIFEST_NAME).read_bytes() == before
    assert await states(folder) == {"exact": 3}


async def test_changed_and_excluded_files_stay(px: AsyncPackageX, folder: Path) -> None:
    """A changed file is reported. An excluded file is not."""
    (folder / "exp_gone/exp_gone.csv").write_bytes(b"c,d\n")
    assert await prune(px, folder, layout="folders", exclude="*.json") == [("exp_gone.csv", "changed")]
    assert (folder / "exp_gone/exp_gone.json").exists()


async def test_links_are_not_followed(px: AsyncPackageX, folder: Path) -> None:
    """The target of a link and the files behind a linked directory stay."""
    moved = folder.parent / "moved"
    (folder / "exp_gone").rename(moved)
    (folder / "exp_gone").symlink_to(moved)
    outcomes = await prune(px, folder, layout="folders")
    assert outcomes == [("exp_gone.csv", "changed"), ("exp_gone.json", "changed")]
    assert len(list(moved.iterdir())) == 2


async def test_crash_before_the_record_is_repaired(px: AsyncPackageX, folder: Path) -> None:
    """A file that was removed, but is still listed, is recorded by the next run."""
    (folder / "exp_gone/exp_gone.csv").unlink()
    assert await prune(px, folder, layout="folders") == [("exp_gone.json", "removed")]
    assert await states(folder) == {"exact": 1}


async def test_export_that_appears_again_is_downloaded(
    server: Emulator, px: AsyncPackageX, folder: Path
) -> None:
    """The record of the removal does not mean that the artifact is not offered."""
    await prune(px, folder, layout="folders")
    add(server, 1, export_id="exp_gone", content={"csv": b"a,b\n"})
    reports = await sync(px, folder, layout="folders")
    assert not reports["exp_gone"].files["csv"].kept


@pytest.mark.parametrize("when", ["2999-01-01T00:00:00+00:00", "2020-01-01T00:00:00", "long ago"])
async def test_files_of_unknown_or_low_age_stay(px: AsyncPackageX, folder: Path, when: str) -> None:
    """Without a time zone, the age is unknown."""
    make_old(folder, when)
    assert await prune(px, folder, layout="folders") == []


async def test_directory_without_old_files(px: AsyncPackageX, tmp_path: Path) -> None:
    """A dry run in a directory that does not exist does not create it."""
    assert await prune(px, tmp_path / "new", dry_run=True) == []
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("successful", [0, 1])
async def test_failed_listing_removes_nothing(
    server: Emulator, px: AsyncPackageX, folder: Path, successful: int
) -> None:
    """The listing of the downloads fails, or only the later listing of all exports."""
    requested_before = len(server.requests)
    if successful:
        server.inject(TargetedFault(on="api"), times=successful)
    server.inject(Status(401, on="api"))
    with pytest.raises(PackageXError):
        await prune(px, folder, layout="folders")
    listings = [(request.path, request.status) for request in server.requests[requested_before:]]
    assert listings == [("/v1/exports", 200)] * successful + [("/v1/exports", 401)]
    assert (folder / "exp_gone/exp_gone.csv").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may remove every file")
async def test_refused_removal_is_reported(px: AsyncPackageX, folder: Path) -> None:
    """The file stays listed."""
    (folder / "exp_gone").chmod(0o500)
    outcomes = await prune(px, folder, layout="folders")
    (folder / "exp_gone").chmod(0o700)
    assert outcomes == [("exp_gone.csv", "failed"), ("exp_gone.json", "failed")]


async def test_removal_that_fails(px: AsyncPackageX, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other files are removed. The error has the reason."""
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == "exp_gone.csv":
            raise PermissionError(errno.EPERM, "not permitted", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    files: list[PrunedFile] = []
    await sync(px, folder, layout="folders", prune_after=timedelta(days=30), on_prune=files.append)
    outcomes = {file.path.name: (file.outcome, file.error and file.error.errno) for file in files}
    assert outcomes == {"exp_gone.csv": ("failed", errno.EPERM), "exp_gone.json": ("removed", None)}
    assert await states(folder) == {"exact": 2}


async def test_manifest_that_cannot_be_written(
    px: AsyncPackageX, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends with an error. The next run records the removed files."""

    def fail(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "no disk")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(DirectoryError, match="cannot be read or written: no disk") as caught:
            await prune(px, folder, layout="folders", durability="fsync")
    assert caught.value.errno == errno.EIO
    assert await prune(px, folder, layout="folders") == []
    assert await states(folder) == {"exact": 1}


async def test_files_are_removed_without_a_callback(px: AsyncPackageX, folder: Path) -> None:
    """`on_prune` is optional."""
    await sync(px, folder, layout="folders", prune_after=timedelta(days=30))
    assert await states(folder) == {"exact": 1}


@pytest.mark.parametrize("age", [0, -1, math.nan, math.inf, True, "30d", timedelta(0)])
async def test_invalid_age(px: AsyncPackageX, tmp_path: Path, age: Any) -> None:
    """The message names the parameter."""
    with pytest.raises(ConfigurationError, match="prune_after must be"):
        px.exports.download_all(tmp_path, prune_after=age)
