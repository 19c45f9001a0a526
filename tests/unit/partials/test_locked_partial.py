"""A partial file is used by one process and one task at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from packagex_async._partials import locked_partial
from packagex_async._partials.locked_partial import create_partial
from packagex_async._partials.partial_metadata import save_metadata
from packagex_async._partials.partial_names import sidecar
from tests.support import names, pid_namespace_command
from tests.unit.partials.helpers import (
    LONG_AGO,
    METADATA,
    make_claim,
    make_partial,
    resume,
    resumed_path,
)


@contextmanager
def process(script: str, target: Path, prefix: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that runs `script` and then waits until it is killed."""
    source = (
        "import sys; from pathlib import Path\n"
        "from packagex_async._partials.locked_partial import resume_partial\n"
        "from packagex_async._partials.partial_index import PartialIndex\n"
        f"target = Path(sys.argv[1])\n{script}\nprint(flush=True); input()"
    )
    command = [*prefix, sys.executable, "-c", source, str(target)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"\n"
        try:
            yield child
        finally:
            child.kill()


RESUME = "found = resume_partial(target, PartialIndex()); assert found"


def test_a_partial_file_is_resumed_once(tmp_path: Path) -> None:
    """It is locked, also against other tasks of the same process, until it is closed."""
    partial = make_partial(tmp_path)
    found = resume(tmp_path / "a.csv")
    assert found is not None
    assert found[0].path == partial
    assert METADATA.items() <= found[1].items()
    assert resume(tmp_path / "a.csv") is None
    assert partial.exists()
    found[0].close()
    found[0].close()
    again = resume(tmp_path / "a.csv")
    assert again is not None
    again[0].remove()
    assert names(tmp_path) == []


def test_trap_04_a_running_process_keeps_its_partial_file_and_a_killed_one_releases_it(
    tmp_path: Path,
) -> None:
    """The operating system releases the lock, however the process ended."""
    partial = make_partial(tmp_path)
    with process(RESUME, tmp_path / "a.csv") as child:
        assert resume(tmp_path / "a.csv") is None
        assert names(tmp_path) == [partial.name, sidecar(partial, "json").name]
        child.kill()
        child.wait()
        assert resumed_path(tmp_path / "a.csv") == partial


def test_a_process_in_another_pid_namespace_keeps_its_partial_file(tmp_path: Path) -> None:
    """Two containers that share a volume cannot see each other's processes."""
    partial = make_partial(tmp_path)
    with process(RESUME, tmp_path / "a.csv", prefix=pid_namespace_command()):
        assert resume(tmp_path / "a.csv") is None
        assert partial.exists()


def test_a_forked_process_does_not_keep_a_released_partial_file(tmp_path: Path) -> None:
    """A child process shares the lock of its parent until the parent releases it."""
    make_partial(tmp_path)
    script = (
        f"import os; {RESUME}\nif os.fork() == 0: sys.stdin.read(); os._exit(0)\nfound[0].close(); {RESUME}\n"
    )
    with process(script, tmp_path / "a.csv"):
        pass


def test_a_new_partial_file_is_locked(tmp_path: Path) -> None:
    """Another run does not remove it as an abandoned one, although it has no metadata."""
    partial = create_partial(tmp_path / "a.csv", tmp_path)
    assert resume(tmp_path / "a.csv") is None
    assert names(tmp_path) == [partial.path.name]
    partial.close()
    assert resume(tmp_path / "a.csv") is None
    assert names(tmp_path) == []


@pytest.mark.parametrize("times", [1, locked_partial._MAX_ATTEMPTS])
def test_a_partial_file_that_was_removed_before_it_was_locked_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Another run may be faster. The number of attempts is limited."""
    real, removed = fcntl.flock, list[int]()

    def remove_first(file: int, operation: int) -> None:
        if operation & fcntl.LOCK_EX and len(removed) < times:
            removed.append(file)
            (partial,) = tmp_path.iterdir()
            partial.unlink()
        real(file, operation)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    if times == 1:
        partial = create_partial(tmp_path / "a.csv", tmp_path)
        assert names(tmp_path) == [partial.path.name]
        partial.remove()
    else:
        with pytest.raises(FileNotFoundError, match="removes partial files as soon as they are created"):
            create_partial(tmp_path / "a.csv", tmp_path)
    assert names(tmp_path) == []


def test_a_new_partial_file_that_cannot_be_locked_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that does not mean a held or an unsupported lock is raised. An existing file stays."""

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OSError, match="broken"):
        create_partial(tmp_path / "a.csv", tmp_path)
    assert names(tmp_path) == []
    make_partial(tmp_path)
    assert resume(tmp_path / "a.csv") is None
    assert len(names(tmp_path)) == 2


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_without_locks_a_recent_partial_file_of_another_process_counts_as_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """After a day it is resumed. The tasks of one process exclude each other all the same."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    theirs = make_partial(tmp_path, "0123456789abcdef-1")
    assert resume(tmp_path / "a.csv") is None
    assert theirs.exists()
    mine = create_partial(tmp_path / "a.csv", tmp_path)
    save_metadata(mine.path, METADATA)
    assert resume(tmp_path / "a.csv") is None
    mine.close()
    assert resumed_path(tmp_path / "a.csv") == mine.path
    mine.path.unlink()
    os.utime(theirs, (LONG_AGO, LONG_AGO))
    assert resumed_path(tmp_path / "a.csv") == theirs


def test_a_partial_file_that_was_published_before_it_was_locked_is_not_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The open file is the target by then."""
    partial, target = make_partial(tmp_path), tmp_path / "a.csv"
    real = fcntl.flock

    def publish_first(file: int, operation: int) -> None:
        if partial.exists():
            partial.rename(target)
        real(file, operation)

    monkeypatch.setattr(fcntl, "flock", publish_first)
    assert resume(target) is None
    assert target.read_bytes() == b"12345"


@pytest.mark.parametrize("change", ["remove", "link", "file", "hard link", "pipe"])
def test_a_partial_file_that_was_removed_or_replaced_cannot_be_renamed(tmp_path: Path, change: str) -> None:
    """Another file at its path was not verified."""
    partial = create_partial(tmp_path / "a.csv", tmp_path)
    partial.path.unlink()
    if change == "link":
        partial.path.symlink_to(tmp_path / "elsewhere")
    elif change == "file":
        partial.path.write_bytes(b"another")
    elif change == "hard link":
        (tmp_path / "other").write_bytes(b"other")
        os.link(tmp_path / "other", partial.path)
        (tmp_path / "other").unlink()
    elif change == "pipe":
        os.mkfifo(partial.path)
    with pytest.raises(FileNotFoundError, match="was removed or replaced"):
        partial.prepare_rename()
    partial.remove()
    assert names(tmp_path) == []


def test_write_errors_that_are_reported_at_close_are_raised_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Network file systems write late. If no descriptor is available, the check is skipped."""
    real = os.close
    partial = create_partial(tmp_path / "a.csv", tmp_path)

    def fail(file: int) -> None:
        real(file)
        raise OSError(errno.EDQUOT, "quota")

    with monkeypatch.context() as late:
        late.setattr(os, "close", fail)
        with pytest.raises(OSError, match="quota"):
            partial.prepare_rename()

    def refuse(_: int) -> int:
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr(os, "dup", refuse)
    partial.prepare_rename()
    partial.close()


def test_on_windows_a_file_is_closed_before_it_is_renamed_or_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows does neither with an open file."""
    monkeypatch.setattr(locked_partial, "_CLOSE_BEFORE_RENAME", True)
    partial = create_partial(tmp_path / "a.csv", tmp_path)
    partial.prepare_rename()
    assert partial.file == -1
    partial.remove()
    assert names(tmp_path) == []


@pytest.mark.parametrize("suffix", ["json", "draft", "claim", ""])
@pytest.mark.parametrize("kind", ["pipe", "directory", "link"])
def test_a_special_file_in_place_of_a_partial_file_is_not_used(
    tmp_path: Path, suffix: str, kind: str
) -> None:
    """It is neither opened nor followed. The same holds for metadata, a draft and a claim."""
    directory = tmp_path / "directory"
    directory.mkdir()
    (tmp_path / "elsewhere").write_text("theirs")
    partial = make_partial(directory)
    path = sidecar(partial, suffix) if suffix else partial
    path.unlink(missing_ok=True)
    makers: dict[str, Callable[[], None]] = {
        "pipe": lambda: os.mkfifo(path),
        "directory": path.mkdir,
        "link": lambda: path.symlink_to(tmp_path / "elsewhere"),
    }
    makers[kind]()
    found = resumed_path(directory / "a.csv")
    is_resumable = suffix == "claim" or (suffix == "draft" and kind != "directory")
    assert found == (partial if is_resumable else None)
    assert (tmp_path / "elsewhere").read_text() == "theirs"
    if found is None:
        assert names(directory) == ([path.name] if kind == "directory" else [])
    else:
        save_metadata(partial, METADATA)
        assert (tmp_path / "elsewhere").read_text() == "theirs"


def test_abandoned_files_are_removed(tmp_path: Path) -> None:
    """Metadata without a partial file, a claim of an ended process, a draft, and a second partial file."""
    make_partial(tmp_path, "1", has_content=False)
    make_claim(make_partial(tmp_path, "2", has_metadata=False), pid=2**22 + 1)
    sidecar(make_partial(tmp_path, "3", has_metadata=False, has_content=False), "draft").touch()
    make_partial(tmp_path, "4")
    make_partial(tmp_path, "5")
    assert resumed_path(tmp_path / "a.csv") == tmp_path / ".a.csv.4.part"
    assert names(tmp_path) == [f".a.csv.4.part{suffix}" for suffix in ("", ".json")]


def test_other_files_are_not_touched(tmp_path: Path) -> None:
    """Neither a file with a similar name, nor the partial file of another target."""
    make_partial(tmp_path, "1", has_metadata=False)
    make_partial(tmp_path, "2", name="b.csv")
    before = names(tmp_path)
    assert resume(tmp_path / "a.csv") is None
    assert names(tmp_path) == before


def test_a_partial_file_that_cannot_be_opened_is_kept_for_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may belong to another user."""
    partial, real = make_partial(tmp_path), os.open

    def refuse(path: Any, *rest: Any, **options: Any) -> int:
        if path == partial:
            raise PermissionError(errno.EACCES, "denied")
        return real(path, *rest, **options)

    monkeypatch.setattr(os, "open", refuse)
    assert resume(tmp_path / "a.csv") is None
    assert partial.exists()
    os.utime(partial, (LONG_AGO, LONG_AGO))
    assert resume(tmp_path / "a.csv") is None
    assert names(tmp_path) == []
