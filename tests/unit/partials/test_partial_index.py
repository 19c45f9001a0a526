"""What a partial file leaves for the next run, and which process is at work on it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from packagex_async._files.locks import LIFETIME
from packagex_async._partials import partial_index
from packagex_async._partials.partial_metadata import MAX_GAPS, MAX_SIZE, PartialMetadata
from tests.support import in_a_pid_namespace, names

MEMO = {"length": 10, "algorithm": "md5"}
LONG_AGO = 1.0


def left(
    folder: Path, token: str = "1", *, memo: bool = True, part: bool = True, name: str = "a.csv"
) -> Path:
    """A partial file as a run leaves it."""
    path = folder / f".{name}.{token}.part"
    if part:
        path.write_bytes(b"12345")
    if memo:
        partial_index.remember(path, MEMO)
    return path


def take_up(target: Path) -> tuple[partial_index.LockedPartial, PartialMetadata] | None:
    """As a run does that comes later."""
    return partial_index.take_up(target, partial_index.PartialIndex())


def taken(target: Path) -> Path | None:
    """The path of the partial file that a later run takes up; it is released again."""
    found = take_up(target)
    if found is None:
        return None
    found[0].close()
    return found[0].path


def beside(part: Path, ending: str) -> Path:
    return part.with_name(f"{part.name}.{ending}")


def claim(part: Path, **changes: object) -> None:
    """A claim as a process of an earlier version has left it."""
    owner = {"machine": partial_index._machine(), "pid": os.getpid(), "started": "1"}
    beside(part, "claim").write_text(json.dumps(owner | changes))


@contextmanager
def process(script: str, *arguments: Path, prefix: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has run `script`, and lives until it is killed."""
    whole = "import sys; from pathlib import Path; from packagex_async._partials import partial_index\n"
    whole += f"{script}\nprint(flush=True); input()"
    command = [*prefix, sys.executable, "-c", whole, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"\n"
        try:
            yield child
        finally:
            child.kill()


HOLD = "found = partial_index.take_up(Path(sys.argv[1]), partial_index.PartialIndex()); assert found"


def test_what_a_run_has_left_is_taken_up(tmp_path: Path) -> None:
    """With its metadata, locked; and no second time, also in the same process."""
    part = left(tmp_path)
    found = take_up(tmp_path / "a.csv")
    assert found is not None
    assert found[0].path == part
    assert MEMO.items() <= found[1].items()
    assert take_up(tmp_path / "a.csv") is None
    assert part.exists()
    found[0].close()
    found[0].close()
    again = take_up(tmp_path / "a.csv")
    assert again is not None
    again[0].remove()
    assert names(tmp_path) == []


def test_trap_04_a_living_process_keeps_its_partial_and_a_killed_one_frees_it(tmp_path: Path) -> None:
    """The operating system releases the lock, whatever has happened to the process."""
    part = left(tmp_path)
    with process(HOLD, tmp_path / "a.csv") as child:
        assert take_up(tmp_path / "a.csv") is None
        assert names(tmp_path) == [part.name, beside(part, "json").name]
        child.kill()
        child.wait()
        assert taken(tmp_path / "a.csv") == part


def test_a_process_in_another_pid_namespace_keeps_its_partial(tmp_path: Path) -> None:
    """Two containers that share a volume do not see each other's processes."""
    part = left(tmp_path)
    with process(HOLD, tmp_path / "a.csv", prefix=in_a_pid_namespace()):
        assert take_up(tmp_path / "a.csv") is None
        assert part.exists()


def test_a_forked_process_does_not_keep_a_partial_that_was_released(tmp_path: Path) -> None:
    """A child shares the lock of its parent until the parent releases it."""
    left(tmp_path)
    script = (
        f"import os; {HOLD}\nif os.fork() == 0: sys.stdin.read(); os._exit(0)\nfound[0].close(); {HOLD}\n"
    )
    with process(script, tmp_path / "a.csv"):
        pass


def test_a_new_partial_is_locked_from_the_beginning(tmp_path: Path) -> None:
    """Nobody removes it as one left behind, though it has no metadata."""
    part = partial_index.create(tmp_path / "a.csv", tmp_path)
    assert take_up(tmp_path / "a.csv") is None
    assert names(tmp_path) == [part.path.name]
    part.close()
    assert take_up(tmp_path / "a.csv") is None
    assert names(tmp_path) == []


@pytest.mark.parametrize("times", [1, partial_index._ATTEMPTS])
def test_a_new_partial_that_was_removed_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """A run that sweeps may be faster; but it is not tried for ever."""
    real, swept = fcntl.flock, list[int]()

    def sweep(file: int, operation: int) -> None:
        if operation & fcntl.LOCK_EX and len(swept) < times:
            swept.append(file)
            (part,) = tmp_path.iterdir()
            part.unlink()
        real(file, operation)

    monkeypatch.setattr(fcntl, "flock", sweep)
    if times == 1:
        part = partial_index.create(tmp_path / "a.csv", tmp_path)
        assert names(tmp_path) == [part.path.name]
        part.remove()
    else:
        with pytest.raises(FileNotFoundError, match="removed as soon as they are created"):
            partial_index.create(tmp_path / "a.csv", tmp_path)
    assert names(tmp_path) == []


def test_a_new_partial_that_cannot_be_locked_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that says nothing about locks is raised."""

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OSError, match="broken"):
        partial_index.create(tmp_path / "a.csv", tmp_path)
    assert names(tmp_path) == []
    left(tmp_path)
    assert take_up(tmp_path / "a.csv") is None
    assert len(names(tmp_path)) == 2


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_without_locks_a_recent_partial_of_another_process_counts_as_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """After a day the export is deleted anyway; and within a process, each task knows of the others."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    theirs = left(tmp_path, "0123456789abcdef-1")
    assert take_up(tmp_path / "a.csv") is None
    assert theirs.exists()
    mine = partial_index.create(tmp_path / "a.csv", tmp_path)
    partial_index.remember(mine.path, MEMO)
    assert take_up(tmp_path / "a.csv") is None
    mine.close()
    assert taken(tmp_path / "a.csv") == mine.path
    mine.path.unlink()
    os.utime(theirs, (LONG_AGO, LONG_AGO))
    assert taken(tmp_path / "a.csv") == theirs


def test_a_partial_that_takes_its_place_before_it_is_locked_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the target by now, and is not written to."""
    part, target = left(tmp_path), tmp_path / "a.csv"
    real = fcntl.flock

    def publish(file: int, operation: int) -> None:
        if part.exists():
            part.rename(target)
        real(file, operation)

    monkeypatch.setattr(fcntl, "flock", publish)
    assert take_up(target) is None
    assert target.read_bytes() == b"12345"


@pytest.mark.parametrize("change", ["remove", "link", "file", "hard link", "pipe"])
def test_a_partial_that_was_removed_or_replaced_is_not_published(tmp_path: Path, change: str) -> None:
    """What its path leads to now is not what was verified."""
    part = partial_index.create(tmp_path / "a.csv", tmp_path)
    part.path.unlink()
    if change == "link":
        part.path.symlink_to(tmp_path / "elsewhere")
    elif change == "file":
        part.path.write_bytes(b"another")
    elif change == "hard link":
        (tmp_path / "other").write_bytes(b"other")
        os.link(tmp_path / "other", part.path)
        (tmp_path / "other").unlink()
    elif change == "pipe":
        os.mkfifo(part.path)
    with pytest.raises(FileNotFoundError, match="was removed or replaced"):
        part.move_to(tmp_path / "a.csv", overwrite=True)
    part.remove()
    assert names(tmp_path) == []


def test_an_error_that_is_told_only_when_a_file_is_closed_keeps_it_from_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Network file systems write late; without a descriptor to ask with, nothing is known beforehand."""
    target, real = tmp_path / "a.csv", os.close
    part = partial_index.create(target, tmp_path)

    def full(file: int) -> None:
        real(file)
        raise OSError(errno.EDQUOT, "quota")

    with monkeypatch.context() as late:
        late.setattr(os, "close", full)
        with pytest.raises(OSError, match="quota"):
            part.move_to(target, overwrite=False)
    assert not target.exists()

    def none_left(_: int) -> int:
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr(os, "dup", none_left)
    part.move_to(target, overwrite=False)
    assert names(tmp_path) == ["a.csv"]


def test_where_an_open_file_is_not_renamed_it_is_closed_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows."""
    monkeypatch.setattr(partial_index, "_CLOSES_BEFORE_RENAME", True)
    part = partial_index.create(tmp_path / "a.csv", tmp_path)
    part.move_to(tmp_path / "a.csv", overwrite=False)
    assert part.file == -1
    other = partial_index.create(tmp_path / "a.csv", tmp_path)
    other.remove()
    assert names(tmp_path) == ["a.csv"]


GAPS = [[start, start + 1] for start in range(0, 4 * MAX_GAPS, 2)]
FOREIGN = {
    "nothing": b"",
    "cut": b"{",
    "list": b"[]",
    "null": b"null",
    "fields missing": b'{"length": 1}',
    "not UTF-8": b"\xff\xfe\0",
    "deep": b"[" * 60_000,
    "digits": b'{"length": ' + b"9" * 5000 + b"}",
}
CHANGES: dict[str, dict[str, Any]] = {
    "negative length": {"length": -1},
    "huge length": {"length": 2**63},
    "length is true": {"length": True},
    "length is a fraction": {"length": 1.5},
    "algorithm is a list": {"algorithm": ["md5"]},
    "machine is a number": {"machine": 5},
    "line break": {"identity": {"etag": '"a"\r\nX-Evil: 1'}},
    "control character": {"validators": [{"etag": '"\x1b"'}]},
    "lone surrogate": {"identity": {"etag": '"\ud800"'}},
    "not ASCII": {"media_type": "text/ä"},
    "key with a line break": {"a\nb": 1},
    "gaps are text": {"gaps": "ab"},
    "a gap is a number": {"gaps": [5]},
    "a gap of three": {"gaps": [[1, 2, 3]]},
    "a gap of text": {"gaps": [["1", "2"]]},
    "many gaps": {"gaps": GAPS[: MAX_GAPS + 1]},
    "large": {"note": "x" * MAX_SIZE},
}


@pytest.mark.parametrize("name", [*FOREIGN, *CHANGES, "duplicate keys"])
def test_trap_03_metadata_that_makes_no_sense_wedges_nothing(tmp_path: Path, name: str) -> None:
    """It is removed with its partial file."""
    part = left(tmp_path)
    path = beside(part, "json")
    if name in FOREIGN:
        path.write_bytes(FOREIGN[name])
    elif name in CHANGES:
        path.write_text(json.dumps(json.loads(path.read_text()) | CHANGES[name]))
    else:
        path.write_text('{"length": 5, ' + path.read_text()[1:])
    assert take_up(tmp_path / "a.csv") is None
    assert names(tmp_path) == []


def test_metadata_of_the_largest_size_is_read(tmp_path: Path) -> None:
    """What is refused above it is taken at it."""
    part = left(tmp_path)
    path = beside(part, "json")
    memo = json.loads(path.read_text()) | {"gaps": GAPS[:MAX_GAPS], "note": ""}
    memo["note"] = "x" * (MAX_SIZE - len(json.dumps(memo)))
    path.write_text(json.dumps(memo))
    assert taken(tmp_path / "a.csv") == part


@pytest.mark.parametrize("ending", ["json", "draft", "claim", ""])
@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_what_is_no_regular_file_is_neither_waited_for_nor_followed(
    tmp_path: Path, ending: str, kind: str
) -> None:
    """It is no metadata, claim or partial of ours, and what a link leads to stays as it is."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "elsewhere").write_text("theirs")
    part = left(folder)
    path = beside(part, ending) if ending else part
    path.unlink(missing_ok=True)
    makers: dict[str, Callable[[], None]] = {
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "link": lambda: path.symlink_to(tmp_path / "elsewhere"),
    }
    makers[kind]()
    found = taken(folder / "a.csv")
    usable = ending == "claim" or (ending == "draft" and kind != "folder")
    assert found == (part if usable else None)
    assert (tmp_path / "elsewhere").read_text() == "theirs"
    if found is None:
        assert names(folder) == ([path.name] if kind == "folder" else [])
    else:
        partial_index.remember(part, MEMO)
        assert (tmp_path / "elsewhere").read_text() == "theirs"


def test_a_link_in_place_of_a_draft_is_not_written_through(tmp_path: Path) -> None:
    """Even if it appears while the partial file is in use."""
    part = left(tmp_path)
    (tmp_path / "elsewhere").write_text("theirs")
    beside(part, "draft").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="is a symbolic link"):
        partial_index.remember(part, MEMO)
    assert (tmp_path / "elsewhere").read_text() == "theirs"


def test_remains_are_swept_away(tmp_path: Path) -> None:
    """Metadata without a file, a claim of a dead process, a draft, a second partial."""
    left(tmp_path, "1", part=False)
    claim(left(tmp_path, "2", memo=False), pid=2**22 + 1)
    beside(left(tmp_path, "3", memo=False, part=False), "draft").touch()
    left(tmp_path, "4")
    left(tmp_path, "5")
    assert taken(tmp_path / "a.csv") == tmp_path / ".a.csv.4.part"
    assert names(tmp_path) == [f".a.csv.4.part{end}" for end in ("", ".json")]


def test_what_belongs_to_others_is_left_alone(tmp_path: Path) -> None:
    """A file that only looks like a partial, and one of another target."""
    left(tmp_path, "1", memo=False)
    left(tmp_path, "2", name="b.csv")
    before = names(tmp_path)
    assert take_up(tmp_path / "a.csv") is None
    assert names(tmp_path) == before


def test_a_partial_that_cannot_be_opened_may_be_of_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is left alone for a day."""
    part, real = left(tmp_path), os.open

    def refuse(path: Any, *rest: Any, **options: Any) -> int:
        if path == part:
            raise PermissionError(errno.EACCES, "denied")
        return real(path, *rest, **options)

    monkeypatch.setattr(os, "open", refuse)
    assert take_up(tmp_path / "a.csv") is None
    assert part.exists()
    os.utime(part, (LONG_AGO, LONG_AGO))
    assert take_up(tmp_path / "a.csv") is None
    assert names(tmp_path) == []


@pytest.mark.parametrize("owner", ["mine", "another machine's", "another user's"])
def test_a_claim_of_an_earlier_version_holds_while_its_process_may_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: str
) -> None:
    """And for no longer than a day."""
    part = left(tmp_path)
    claim(part, **({"machine": "another"} if owner == "another machine's" else {}))
    if owner == "another user's":

        def refuse(*_: object) -> None:
            raise PermissionError(errno.EPERM, "not yours")

        monkeypatch.setattr(os, "kill", refuse)
    assert take_up(tmp_path / "a.csv") is None
    assert part.exists()
    os.utime(beside(part, "claim"), (LONG_AGO, LONG_AGO))
    assert taken(tmp_path / "a.csv") == part


@pytest.mark.parametrize(
    "text",
    [
        "", "[1]", "null", '{"pid": "x"}', '{"pid": 1}', "[" * 4000, "x" * 5000, "\ud800",
        '{"machine": 1, "pid": 1}', '{"machine": "m", "pid": true}', '{"machine": "m", "pid": -1}',
        '{"machine": "m", "pid": 0}', '{"machine": "m", "pid": 1000000000000000000000000000000}',
    ],
)  # fmt: skip
def test_trap_03_a_claim_that_makes_no_sense_wedges_nothing(tmp_path: Path, text: str) -> None:
    """Nobody holds what nobody can have claimed."""
    part = left(tmp_path)
    beside(part, "claim").write_bytes(text.encode(errors="surrogatepass"))
    assert taken(tmp_path / "a.csv") == part


def test_a_partial_of_an_earlier_version_that_was_never_to_be_left_goes_after_a_day(tmp_path: Path) -> None:
    """It has neither metadata nor claim: its name alone tells what it is."""
    part = left(tmp_path, "0123abcd-17-4711-1", memo=False)
    assert take_up(tmp_path / "a.csv") is None
    assert part.exists()
    os.utime(part, (LONG_AGO, LONG_AGO))
    assert take_up(tmp_path / "a.csv") is None
    assert names(tmp_path) == []


def test_a_folder_is_looked_through_once(tmp_path: Path) -> None:
    """However many files come into it; one that is not there has nothing in it."""
    leftovers = partial_index.PartialIndex()
    part = left(tmp_path)
    assert leftovers.of(tmp_path / "b.csv") == []
    left(tmp_path, "2")
    assert leftovers.of(tmp_path / "a.csv") == [part]
    assert leftovers.of(tmp_path / "new" / "a.csv") == []
    assert not leftovers.had_any_like(tmp_path / "new" / "a.csv")


def test_a_folder_that_cannot_be_read_may_hold_anything(tmp_path: Path) -> None:
    """No partial is known of, and no target is known to be absent; writing there tells what is wrong."""
    (tmp_path / "file").touch()
    leftovers = partial_index.PartialIndex()
    assert leftovers.of(tmp_path / "file" / "a.csv") == []
    assert leftovers.had_any_like(tmp_path / "file" / "a.csv")


@pytest.mark.parametrize("name", ["x" * 251 + ".csv", "ä" * 125 + ".csv", "\U0001f4e6" * 62 + ".csv"])
def test_a_target_of_the_longest_name_has_a_partial(tmp_path: Path, name: str) -> None:
    """Its name is shortened; a later run finds it, and that of another target is not taken for it."""
    assert len(os.fsencode(name)) in (252, 254, 255)
    target, other = tmp_path / name, tmp_path / f"{name[:-5]}y.csv"
    part = partial_index.create(target, tmp_path)
    partial_index.remember(part.path, MEMO)
    part.close()
    assert take_up(other) is None
    assert taken(target) == part.path
    assert part.path.name.startswith(f".{name[:40]}")


def test_after_a_reboot_only_a_hash_makes_a_partial_usable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may leave zeros at the end of a file."""
    for algorithm, usable in (("md5", True), (None, False)):
        part = left(tmp_path)
        partial_index.remember(part, MEMO | {"algorithm": algorithm})
        monkeypatch.setattr(partial_index, "_machine", lambda: "rebooted")
        assert (taken(tmp_path / "a.csv") is not None) == usable
        partial_index.forget(part)
        monkeypatch.undo()


@pytest.mark.parametrize(
    "error", [FileNotFoundError, PermissionError, UnicodeDecodeError("ascii", b"", 0, 0, "")]
)
def test_a_machine_that_does_not_tell_its_boot_has_a_name(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Where there is no boot id that can be read."""

    def refuse(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setattr(platform, "node", lambda: "büro")
    assert partial_index._machine.__wrapped__() == r"'b\xfcro'"


def test_the_lifetime_is_that_of_an_export() -> None:
    """After it, nothing of it can be of use."""
    assert LIFETIME == 24 * 3600
