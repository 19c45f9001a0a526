"""A folder is read again: what is exact, what is not, and what was never brought; nothing is touched."""

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
from packagex_async._sync.manifest import NAME
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async.testing import Emulator

LINE = ManifestEntry(
    export_id="exp_1",
    artifact="csv",
    path="exp_1.csv",
    size=3,
    sha256=hashlib.sha256(b"a,b").hexdigest(),
    verified="checksum",
    when="2024-05-01T12:00:00+00:00",
    updated_at=None,
)


def write(folder: Path, *lines: ManifestEntry) -> None:
    """A manifest of these lines, and the file that they speak of."""
    (folder / NAME).write_bytes(b"".join(line.dump() for line in lines))
    (folder / "exp_1.csv").write_bytes(b"a,b")


async def check(folder: Path, **options: Any) -> list[CheckedFile]:
    return [file async for file in verify_directory(folder, **options)]


async def states(folder: Path) -> dict[str, FileState]:
    return {file.path: file.state for file in await check(folder)}


@pytest.mark.parametrize("layout", ["flat", "folders", "{resource}/{created}/{id}"])
async def test_what_was_just_brought_is_exact(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, layout: str
) -> None:
    """In any layout; what an export does not offer is no file, and the manifest itself is not in question."""
    for number in range(9):
        server.add_export(content={"csv": os.urandom(2000 + number), "json": b""})
    async with aclosing(px.exports.download_all(tmp_path, layout=layout)) as reports:
        files = {file.path: file async for report in reports for file in report.files}
    before = (tmp_path / NAME).stat()
    progress: list[tuple[int, int]] = []
    checked = await check(tmp_path, on_progress=lambda *told: progress.append(told))
    assert len(checked) == 18
    for one in checked:
        size = files[tmp_path / one.path].size
        assert one == attrs.evolve(one, state=FileState.EXACT, size=size, expected_size=size)
        assert one.export_id is not None
        assert one.export_id in one.path
        assert one.artifact in ("csv", "json")
    whole = sum(file.size for file in files.values())
    assert progress[-1] == (whole, whole)
    assert (tmp_path / NAME).stat().st_mtime_ns == before.st_mtime_ns


async def test_every_state_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And all bytes count as checked in the end, whether they were there to be read or not."""
    lines = [LINE]
    for name in ("longer", "other", "absent", "folder", "link", "worn"):
        lines.append(attrs.evolve(LINE, export_id=f"exp_{name}", path=f"below/{name}.csv"))
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

    def worn(path: Any, *args: Any, **kwargs: Any) -> int:
        if Path(path).name == "worn.csv":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", worn)
    progress: list[tuple[int, int]] = []
    checked = await check(tmp_path, on_progress=lambda *told: progress.append(told))
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
async def test_a_path_that_leads_out_is_told_and_not_followed(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it is written; the file there is not even opened."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "exp_1.csv").write_bytes(b"a,b")
    write(folder, attrs.evolve(LINE, path=path))
    (folder / "exp_1.csv").unlink()
    (file,) = await check(folder)
    assert (file.path, file.state, file.size, file.expected_size) == (path, FileState.OUTSIDE, None, 3)


async def test_a_link_that_leads_out_is_not_followed_either(tmp_path: Path) -> None:
    """Where it stays within the folder, it may stand; the folder itself may be a link, too."""
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    for made in (folder / "in", elsewhere):
        made.mkdir(parents=True)
        (made / "exp.csv").write_bytes(b"a,b")
    (folder / "out").symlink_to(elsewhere)
    (folder / "alias").symlink_to(folder / "in")
    (tmp_path / "linked").symlink_to(folder)
    names = ("out", "alias", "in")
    write(folder, *(attrs.evolve(LINE, export_id=name, path=f"{name}/exp.csv") for name in names))
    assert await states(tmp_path / "linked") == {
        "out/exp.csv": FileState.OUTSIDE,
        "alias/exp.csv": FileState.EXACT,
        "in/exp.csv": FileState.EXACT,
        "exp_1.csv": FileState.UNLISTED,
    }


async def test_of_several_lines_the_last_good_one_holds(tmp_path: Path) -> None:
    """Earlier ones, foreign ones and a torn end change nothing; and nothing is repaired."""
    moved = attrs.evolve(LINE, export_id="exp_2", path="old.csv")
    gone = attrs.evolve(LINE, export_id="exp_3", path="gone.csv")
    write(
        tmp_path,
        attrs.evolve(LINE, size=9),
        moved,
        gone,
        attrs.evolve(moved, path="exp_1.csv"),
        ManifestEntry(export_id="exp_3", artifact="csv", when=LINE.when, updated_at=None),
        ManifestEntry(export_id="exp_4", artifact="csv", when=LINE.when, updated_at=None),
        LINE,
    )
    (tmp_path / "old.csv").touch()
    text = (tmp_path / NAME).read_bytes() + b'[]\n\xff\n{"export_id":"exp_1","artif'
    (tmp_path / NAME).write_bytes(text)
    checked = await check(tmp_path)
    assert [(file.export_id, file.path, file.state) for file in checked] == [
        ("exp_2", "exp_1.csv", FileState.EXACT),
        ("exp_1", "exp_1.csv", FileState.EXACT),
        (None, "old.csv", FileState.UNLISTED),
    ]
    assert (tmp_path / NAME).read_bytes() == text


async def test_large_files_are_told_in_their_order(tmp_path: Path) -> None:
    """Although several are read at a time."""
    sizes = [9_000_000 + number for number in range(9)]
    write(
        tmp_path, *(attrs.evolve(LINE, export_id=f"exp_{size}", path=f"{size}", size=size) for size in sizes)
    )
    for size in sizes:
        with (tmp_path / f"{size}").open("wb") as hole:
            hole.truncate(size)
    *checked, _ = await check(tmp_path)
    assert [(file.size, file.state) for file in checked] == [(size, FileState.CHANGED) for size in sizes]


@pytest.mark.parametrize("name", ["", "absent", "file"])
def test_a_folder_without_a_manifest_is_refused_at_once(tmp_path: Path, name: str) -> None:
    """The message says why; so is a file."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=f"has no {NAME}"):
        verify_directory(tmp_path / name)


async def test_a_manifest_that_vanishes_is_told(tmp_path: Path) -> None:
    """With the path and the error number of the operating system."""
    write(tmp_path, LINE)
    checking = verify_directory(tmp_path)
    (tmp_path / NAME).unlink()
    with pytest.raises(DirectoryError, match=f"{NAME} cannot be read: No such file") as caught:
        await anext(checking)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, str(tmp_path / NAME))


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_regular_file_is_no_manifest(tmp_path: Path, kind: str) -> None:
    """It is refused at once, by its path; a pipe is not waited for, and a link not followed."""
    folder = tmp_path / "folder"
    folder.mkdir()
    write(tmp_path, LINE)
    path = folder / NAME
    makers: dict[str, Callable[[], None]] = {
        "link": lambda: path.symlink_to(tmp_path / NAME),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
    }
    makers[kind]()
    with pytest.raises(ConfigurationError, match=f"{path} is (a|not a) "):
        verify_directory(folder)


async def test_a_manifest_that_becomes_a_link_is_not_read(tmp_path: Path) -> None:
    """Not even after it was looked at."""
    folder = tmp_path / "folder"
    folder.mkdir()
    write(tmp_path, LINE)
    write(folder, LINE)
    checking = verify_directory(folder)
    (folder / NAME).unlink()
    (folder / NAME).symlink_to(tmp_path / NAME)
    with pytest.raises(DirectoryError, match="is a symbolic link"):
        await anext(checking)


def test_a_folder_that_lets_nobody_look_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the error number, as an `OSError` too."""

    def refuse(_: Path) -> None:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(Path, "lstat", refuse)
    with pytest.raises(DirectoryError, match=f"{NAME} cannot be read: denied") as caught:
        verify_directory(tmp_path)
    assert isinstance(caught.value, OSError)
    assert caught.value.errno == errno.EACCES


async def test_a_manifest_that_cannot_be_read_to_its_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And closed."""
    write(tmp_path, LINE)

    def worn(*_: object) -> None:
        raise OSError(errno.EIO, "worn out")

    monkeypatch.setattr("packagex_async._sync.inventory.read_lines", worn)
    with pytest.raises(DirectoryError, match="worn out"):
        await anext(verify_directory(tmp_path))


@pytest.fixture
def _deep(tmp_path: Path) -> Iterator[None]:
    """Folders in folders, deeper than any path is long; what removes the others cannot remove them."""
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("deep", dir_fd=folder)
        below = os.open("deep", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    yield
    subprocess.run(["rm", "-rf", tmp_path / "deep"], check=True)


@pytest.mark.usefixtures("_deep")
async def test_a_folder_of_odd_things_is_gone_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pipes, loops of links, names that are no text, folders that cannot be read, and very deep ones."""
    odd = os.fsdecode(b"caf\xe9.csv")
    long = ("a/" * 3000 + "b", "a/" * 1500 + "b")
    write(
        tmp_path,
        *(
            attrs.evolve(LINE, export_id=path, path=path)
            for path in (odd, "pipe", "loop/a.csv", "locked/a.csv", "\ud800.csv", *long)
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
        long[0]: FileState.OUTSIDE,
        long[1]: FileState.MISSING,
        "exp_1.csv": FileState.UNLISTED,
        "loop": FileState.UNLISTED,
        "other pipe": FileState.UNLISTED,
    }


@pytest.mark.parametrize("size", [0, 2, 4, 1 << 42])
async def test_a_file_of_another_length_is_not_read(tmp_path: Path, size: int) -> None:
    """It has changed, whatever it holds; to read it might take days."""
    write(tmp_path, LINE)
    with (tmp_path / "exp_1.csv").open("wb") as hole:
        hole.truncate(size)
    calls: list[tuple[int, int]] = []
    async with asyncio.timeout(60):
        (file,) = [
            file async for file in verify_directory(tmp_path, on_progress=lambda *call: calls.append(call))
        ]
    assert (file.state, file.size, file.expected_size) == (FileState.CHANGED, size, 3)
    assert calls[-1] == (3, 3)


async def test_leaving_early_ends_the_reading(tmp_path: Path) -> None:
    """At the next block of every file under way; these are endless for all that the reader knows."""
    names = [f"{number}.csv" for number in range(9)]
    smalls = [attrs.evolve(LINE, export_id=f"small_{number}") for number in range(64)]
    write(tmp_path, *smalls, *(attrs.evolve(LINE, export_id=name, path=name, size=1 << 40) for name in names))
    for name in names:
        with (tmp_path / name).open("wb") as hole:
            hole.truncate(1 << 40)
    before = asyncio.all_tasks()
    async with aclosing(verify_directory(tmp_path)) as files:
        async for file in files:
            assert (file.path, file.state) == ("exp_1.csv", FileState.EXACT)
            break
    assert asyncio.all_tasks() == before


async def test_a_cancelled_verification_ends_at_once(tmp_path: Path) -> None:
    """In the middle of a file."""
    endless = attrs.evolve(LINE, size=1 << 40)
    write(tmp_path, endless)
    with (tmp_path / "exp_1.csv").open("wb") as file:
        file.truncate(1 << 40)
    begun = asyncio.Event()
    before = asyncio.all_tasks()
    task = asyncio.create_task(check(tmp_path, on_progress=lambda *_: begun.set()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before
