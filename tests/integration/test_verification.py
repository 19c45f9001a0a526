"""`verify_directory`: the state of every file, unsafe manifests, and early exit."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import attrs
import pytest

from packagex_async import (
    AsyncPackageX,
    CheckedFile,
    ConfigurationError,
    DirectoryError,
    FileState,
    verify_directory,
)
from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async.testing import Emulator

ENTRY = ManifestEntry(
    export_id="exp_1",
    artifact="csv",
    path="exp_1.csv",
    size=3,
    sha256=hashlib.sha256(b"a,b").hexdigest(),
    verified="checksum",
    when="2024-05-01T12:00:00+00:00",
    updated_at=None,
)


def write(folder: Path, *entries: ManifestEntry) -> None:
    """Write a manifest with these entries, and the file `exp_1.csv`."""
    (folder / MANIFEST_NAME).write_bytes(b"".join(entry.dump() for entry in entries))
    (folder / "exp_1.csv").write_bytes(b"a,b")


async def check(folder: Path, **options: Any) -> list[CheckedFile]:
    return [file async for file in verify_directory(folder, **options)]


async def states(folder: Path) -> dict[str, FileState]:
    return {file.path: file.state for file in await check(folder)}


@pytest.mark.parametrize("layout", ["flat", "folders", "{resource}/{created}/{id}"])
async def test_downloaded_files_are_exact(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, layout: str
) -> None:
    """This holds for every layout. Artifacts that are not offered are no files."""
    for number in range(9):
        server.add_export(content={"csv": os.urandom(2000 + number), "json": b""})
    async with aclosing(px.exports.download_all(tmp_path, layout=layout)) as reports:
        files = {file.path: file async for report in reports for file in report.files}
    before = (tmp_path / MANIFEST_NAME).stat()
    progress: list[tuple[int, int]] = []
    checked = await check(tmp_path, on_progress=lambda *counts: progress.append(counts))
    assert len(checked) == 18
    for file in checked:
        size = files[tmp_path / file.path].size
        assert file == attrs.evolve(file, state=FileState.EXACT, size=size, expected_size=size)
        assert file.export_id is not None
        assert file.export_id in file.path
        assert file.artifact in ("csv", "json")
    total = sum(file.size for file in files.values())
    assert progress[-1] == (total, total)
    assert (tmp_path / MANIFEST_NAME).stat().st_mtime_ns == before.st_mtime_ns


async def test_states_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end all bytes count as checked, also those of files that could not be read."""
    lines = [ENTRY]
    for name in ("longer", "other", "absent", "folder", "link", "worn"):
        lines.append(attrs.evolve(ENTRY, export_id=f"exp_{name}", path=f"below/{name}.csv"))
    write(tmp_path, *lines)
    below = tmp_path / "below"
    (below / "folder.csv").mkdir(parents=True)
    (below / "longer.csv").write_bytes(b"a,b,c")
    (below / "other.csv").write_bytes(b"a;b")
    (below / "worn.csv").write_bytes(b"a,b")
    (below / "link.csv").symlink_to(tmp_path / "exp_1.csv")
    (below / "notes.txt").write_text("mine")
    (below / ".worn.csv.7.part").write_text("left")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "file").touch()
    real = os.open

    def fail_to_read(path: Any, *args: Any, **kwargs: Any) -> int:
        if Path(path).name == "worn.csv":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", fail_to_read)
    progress: list[tuple[int, int]] = []
    checked = await check(tmp_path, on_progress=lambda *counts: progress.append(counts))
    assert [(file.path, file.state, file.size, file.expected_size) for file in checked] == [
        ("exp_1.csv", FileState.EXACT, 3, 3),
        ("below/longer.csv", FileState.CHANGED, 5, 3),
        ("below/other.csv", FileState.CHANGED, 3, 3),
        ("below/absent.csv", FileState.MISSING, None, 3),
        ("below/folder.csv", FileState.CHANGED, None, 3),
        ("below/link.csv", FileState.CHANGED, None, 3),
        ("below/worn.csv", FileState.UNREADABLE, None, 3),
        ("below/notes.txt", FileState.UNLISTED, None, None),
    ]
    assert progress[-1] == (21, 21)


@pytest.mark.parametrize(
    "path",
    ["../exp_1.csv", "a/../../exp_1.csv", "/etc/hostname", "", ".", "a//b", "a\\..\\b", "c:evil", "nul\0"],
)
async def test_path_outside_the_directory(tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is not opened, however the path is written."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "exp_1.csv").write_bytes(b"a,b")
    write(folder, attrs.evolve(ENTRY, path=path))
    (folder / "exp_1.csv").unlink()
    (file,) = await check(folder)
    assert (file.path, file.state, file.size, file.expected_size) == (path, FileState.OUTSIDE, None, 3)


async def test_link_outside_the_directory(tmp_path: Path) -> None:
    """Links within the directory are followed, and the directory may be a link."""
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    for made in (folder / "in", elsewhere):
        made.mkdir(parents=True)
        (made / "exp.csv").write_bytes(b"a,b")
    (folder / "out").symlink_to(elsewhere)
    (folder / "alias").symlink_to(folder / "in")
    (tmp_path / "linked").symlink_to(folder)
    names = ("out", "alias", "in")
    write(folder, *(attrs.evolve(ENTRY, export_id=name, path=f"{name}/exp.csv") for name in names))
    assert await states(tmp_path / "linked") == {
        "out/exp.csv": FileState.OUTSIDE,
        "alias/exp.csv": FileState.EXACT,
        "in/exp.csv": FileState.EXACT,
        "exp_1.csv": FileState.UNLISTED,
    }


async def test_last_valid_entry_counts(tmp_path: Path) -> None:
    """Older, foreign and incomplete lines have no effect and are not changed."""
    moved = attrs.evolve(ENTRY, export_id="exp_2", path="old.csv")
    deleted = attrs.evolve(ENTRY, export_id="exp_3", path="gone.csv")
    write(
        tmp_path,
        attrs.evolve(ENTRY, size=9),
        moved,
        deleted,
        attrs.evolve(moved, path="exp_1.csv"),
        ManifestEntry(export_id="exp_3", artifact="csv", when=ENTRY.when, updated_at=None),
        ManifestEntry(export_id="exp_4", artifact="csv", when=ENTRY.when, updated_at=None),
        ENTRY,
    )
    (tmp_path / "old.csv").touch()
    text = (tmp_path / MANIFEST_NAME).read_bytes() + b'[]\n\xff\n{"export_id":"exp_1","artif'
    (tmp_path / MANIFEST_NAME).write_bytes(text)
    checked = await check(tmp_path)
    assert [(file.export_id, file.path, file.state) for file in checked] == [
        ("exp_2", "exp_1.csv", FileState.EXACT),
        ("exp_1", "exp_1.csv", FileState.EXACT),
        (None, "old.csv", FileState.UNLISTED),
    ]
    assert (tmp_path / MANIFEST_NAME).read_bytes() == text


async def test_large_files_are_yielded_in_order(tmp_path: Path) -> None:
    """Several of them are read concurrently."""
    sizes = [9_000_000 + number for number in range(9)]
    write(
        tmp_path, *(attrs.evolve(ENTRY, export_id=f"exp_{size}", path=f"{size}", size=size) for size in sizes)
    )
    for size in sizes:
        with (tmp_path / f"{size}").open("wb") as sparse:
            sparse.truncate(size)
    *checked, _ = await check(tmp_path)
    assert [(file.size, file.state) for file in checked] == [(size, FileState.CHANGED) for size in sizes]


@pytest.mark.parametrize("name", ["", "absent", "file"])
def test_directory_without_manifest(tmp_path: Path, name: str) -> None:
    """The call raises the error, also for a path that is a file."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=f"has no {MANIFEST_NAME}"):
        verify_directory(tmp_path / name)


async def test_deleted_manifest(tmp_path: Path) -> None:
    """The error has the path and the error number."""
    write(tmp_path, ENTRY)
    files = verify_directory(tmp_path)
    (tmp_path / MANIFEST_NAME).unlink()
    with pytest.raises(DirectoryError, match=f"{MANIFEST_NAME} cannot be read: No such file") as caught:
        await anext(files)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, str(tmp_path / MANIFEST_NAME))


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_manifest_must_be_a_regular_file(tmp_path: Path, kind: str) -> None:
    """The error has the path. A pipe does not block, and a symbolic link is not followed."""
    folder = tmp_path / "folder"
    folder.mkdir()
    write(tmp_path, ENTRY)
    path = folder / MANIFEST_NAME
    makers: dict[str, Callable[[], None]] = {
        "link": lambda: path.symlink_to(tmp_path / MANIFEST_NAME),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
    }
    makers[kind]()
    with pytest.raises(ConfigurationError, match=f"{path} is (a|not a) "):
        verify_directory(folder)


async def test_manifest_replaced_by_a_link(tmp_path: Path) -> None:
    """It is not followed, although the first check succeeded."""
    folder = tmp_path / "folder"
    folder.mkdir()
    write(tmp_path, ENTRY)
    write(folder, ENTRY)
    files = verify_directory(folder)
    (folder / MANIFEST_NAME).unlink()
    (folder / MANIFEST_NAME).symlink_to(tmp_path / MANIFEST_NAME)
    with pytest.raises(DirectoryError, match="is a symbolic link"):
        await anext(files)


def test_directory_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is an `OSError`, too, and has the error number."""

    def refuse(_: object) -> None:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(os, "lstat", refuse)
    with pytest.raises(DirectoryError, match=f"{MANIFEST_NAME} cannot be read: denied") as caught:
        verify_directory(tmp_path)
    assert isinstance(caught.value, OSError)
    assert caught.value.errno == errno.EACCES


async def test_read_error_in_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is closed."""
    write(tmp_path, ENTRY)

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "read error")

    monkeypatch.setattr("packagex_async._sync.manifest_snapshot.read_blocks", fail)
    with pytest.raises(DirectoryError, match="read error"):
        await anext(verify_directory(tmp_path))


@pytest.fixture
def _deep(tmp_path: Path) -> Iterator[None]:
    """Nested directories whose path is too long for pytest, which could not remove them."""
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("deep", dir_fd=folder)
        child = os.open("deep", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = child
    os.close(folder)
    yield
    subprocess.run(["rm", "-rf", tmp_path / "deep"], check=True)


@pytest.mark.usefixtures("_deep")
async def test_unusual_files_and_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pipes, link loops, undecodable names, unreadable and very deep directories are handled."""
    odd = os.fsdecode(b"caf\xe9.csv")
    too_long, missing = "a/" * 3000 + "b", "a/" * 1500 + "b"
    write(
        tmp_path,
        *(
            attrs.evolve(ENTRY, export_id=path, path=path)
            for path in (odd, "pipe", "loop/a.csv", "locked/a.csv", "\ud800.csv", too_long, missing)
        ),
    )
    (tmp_path / odd).write_bytes(b"a,b")
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "other pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked" / "a.csv").write_bytes(b"a,b")
    real = os.scandir

    def scan(path: Any) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(errno.EACCES, "denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scan)
    assert await states(tmp_path) == {
        odd: FileState.EXACT,
        "pipe": FileState.CHANGED,
        "loop/a.csv": FileState.UNREADABLE,
        "locked/a.csv": FileState.EXACT,
        "\ud800.csv": FileState.MISSING,
        too_long: FileState.OUTSIDE,
        missing: FileState.MISSING,
        "exp_1.csv": FileState.UNLISTED,
        "loop": FileState.UNLISTED,
        "other pipe": FileState.UNLISTED,
    }


@pytest.mark.parametrize("size", [0, 2, 4, 1 << 42])
async def test_file_of_other_length_is_not_read(tmp_path: Path, size: int) -> None:
    """Its length shows that it has changed. Reading a very large file might take days."""
    write(tmp_path, ENTRY)
    with (tmp_path / "exp_1.csv").open("wb") as sparse:
        sparse.truncate(size)
    progress: list[tuple[int, int]] = []
    async with asyncio.timeout(60):
        (file,) = await check(tmp_path, on_progress=lambda *counts: progress.append(counts))
    assert (file.state, file.size, file.expected_size) == (FileState.CHANGED, size, 3)
    assert progress[-1] == (3, 3)


async def test_early_exit_stops_reading(tmp_path: Path) -> None:
    """It stops at the next block of each file. The files are very large."""
    names = [f"{number}.csv" for number in range(9)]
    small_files = [attrs.evolve(ENTRY, export_id=f"small_{number}") for number in range(64)]
    write(
        tmp_path,
        *small_files,
        *(attrs.evolve(ENTRY, export_id=name, path=name, size=1 << 40) for name in names),
    )
    for name in names:
        with (tmp_path / name).open("wb") as sparse:
            sparse.truncate(1 << 40)
    before = asyncio.all_tasks()
    async with aclosing(verify_directory(tmp_path)) as files:
        async for file in files:
            assert (file.path, file.state) == ("exp_1.csv", FileState.EXACT)
            break
    assert asyncio.all_tasks() == before


async def test_cancellation_stops_reading(tmp_path: Path) -> None:
    """It stops in the middle of a file."""
    endless = attrs.evolve(ENTRY, size=1 << 40)
    write(tmp_path, endless)
    with (tmp_path / "exp_1.csv").open("wb") as file:
        file.truncate(1 << 40)
    started = asyncio.Event()
    before = asyncio.all_tasks()
    task = asyncio.create_task(check(tmp_path, on_progress=lambda *_: started.set()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before
