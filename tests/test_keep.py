"""What a partial leaves for the next run, and whose it is."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from packagex_async import _keep

from .support import names

MEMO = {"length": 10, "algorithm": "md5"}


def left(folder: Path, token: str = "1", *, memo: bool = True, part: bool = True) -> Path:
    """A partial as a run leaves it."""
    path = folder / f".a.csv.{token}.part"
    if part:
        path.write_bytes(b"12345")
    if memo:
        _keep.remember(path, MEMO)
    return path


def take_up(target: Path) -> tuple[Path, _keep.Memo] | None:
    """As a run does that comes later."""
    return _keep.take_up(target, _keep.Leftovers())


def own(part: Path, **changes: object) -> None:
    """A claim as another process would have left it."""
    _keep.claim(part)
    claim = part.with_name(part.name + ".claim")
    claim.write_text(json.dumps(json.loads(claim.read_text()) | changes))


def test_what_a_run_has_left_is_taken_up(tmp_path: Path) -> None:
    """With its memo, claimed; and no second time."""
    part = left(tmp_path)
    found = take_up(tmp_path / "a.csv")
    assert found is not None
    assert found[0] == part
    assert MEMO.items() <= found[1].items()
    assert take_up(tmp_path / "a.csv") is None
    assert part.exists()
    _keep.release(part)
    assert take_up(tmp_path / "a.csv") is not None
    _keep.forget(part)
    assert names(tmp_path) == []


def test_trap_04_a_claim_is_exclusive(tmp_path: Path) -> None:
    """Of two that claim, one has it."""
    part = left(tmp_path)
    assert _keep.claim(part)
    assert not _keep.claim(part)


def test_a_dead_owner_holds_nothing(tmp_path: Path) -> None:
    """Neither one whose process has ended, nor one whose number another process has now."""
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    for owner in ({"pid": int(child.stdout)}, {"started": "1"}):
        part = left(tmp_path)
        own(part, **owner)
        assert take_up(tmp_path / "a.csv") is not None
        _keep.forget(part)


def test_a_claim_of_another_machine_holds_for_a_day(tmp_path: Path) -> None:
    """Whether its process lives cannot be known; after a day the export is gone anyway."""
    part = left(tmp_path)
    own(part, machine="another")
    assert take_up(tmp_path / "a.csv") is None
    long_ago = part.stat().st_mtime - _keep.FOREIGN_LIFETIME - 1
    os.utime(part.with_name(part.name + ".claim"), (long_ago, long_ago))
    assert take_up(tmp_path / "a.csv") is not None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"length": 1}', "\udcff"])
def test_trap_03_a_memo_that_makes_no_sense_wedges_nothing(tmp_path: Path, text: str) -> None:
    """It is removed with its partial."""
    part = left(tmp_path)
    part.with_name(part.name + ".json").write_bytes(text.encode(errors="surrogateescape"))
    assert take_up(tmp_path / "a.csv") is None
    assert names(tmp_path) == []


@pytest.mark.parametrize("text", ["", "[1]", '{"pid": "x"}'])
def test_trap_03_a_claim_that_makes_no_sense_wedges_nothing(tmp_path: Path, text: str) -> None:
    """Nobody holds what nobody can have claimed."""
    part = left(tmp_path)
    part.with_name(part.name + ".claim").write_text(text)
    assert take_up(tmp_path / "a.csv") is not None


def test_trap_03_a_process_number_that_no_machine_has_wedges_nothing(tmp_path: Path) -> None:
    """It is the number of nobody."""
    part = left(tmp_path)
    own(part, pid=10**30)
    assert take_up(tmp_path / "a.csv") is not None


def test_remains_are_swept_away(tmp_path: Path) -> None:
    """A memo without a file, a claim of a dead process, a second partial."""
    left(tmp_path, "1", part=False)
    own(left(tmp_path, "2", memo=False), pid=0, started="never")
    left(tmp_path, "3")
    left(tmp_path, "4")
    found = take_up(tmp_path / "a.csv")
    assert found is not None
    assert names(tmp_path) == [f".a.csv.3.part{end}" for end in ("", ".claim", ".json")]


def test_what_belongs_to_others_is_left_alone(tmp_path: Path) -> None:
    """A partial without memo or claim, one of another file, and one that a living process is at."""
    (tmp_path / ".a.csv.1.part").touch()
    left(tmp_path / "", "2").rename(tmp_path / ".b.csv.2.part")
    busy = left(tmp_path, "3")
    _keep.claim(busy)
    before = names(tmp_path)
    (tmp_path / ".a.csv.2.part.json").unlink()
    before.remove(".a.csv.2.part.json")
    assert take_up(tmp_path / "a.csv") is None
    assert names(tmp_path) == before


def test_a_partial_that_was_never_to_be_left_goes_with_its_process(tmp_path: Path) -> None:
    """It has neither memo nor claim: its name tells whose it is."""
    mine = _keep.new_part(tmp_path / "a.csv")
    machine, pid, started, _ = mine.name.removeprefix(".a.csv.").split("-")
    tokens = {
        "theirs": f"{machine}-{pid}-{int(started) + 1}-1",
        "dead": f"{machine}-999999999-{started}-1",
        "elsewhere": f"00000000-{pid}-{started}-1",
        "long ago": f"00000001-{pid}-{started}-1",
    }
    parts = {whose: tmp_path / f".a.csv.{token}.part" for whose, token in tokens.items()} | {"mine": mine}
    for part in parts.values():
        part.touch()
    os.utime(parts["long ago"], (0, 0))
    assert take_up(tmp_path / "a.csv") is None
    assert names(tmp_path) == sorted([mine.name, parts["elsewhere"].name])


def test_what_was_being_written_down_is_swept_away(tmp_path: Path) -> None:
    """A draft of a memo whose partial is no longer there."""
    (tmp_path / ".a.csv.1.part.draft").touch()
    assert take_up(tmp_path / "a.csv") is None
    assert names(tmp_path) == []


def test_a_folder_is_looked_through_once(tmp_path: Path) -> None:
    """However many files come into it; one that is not there has nothing in it."""
    leftovers = _keep.Leftovers()
    part = left(tmp_path)
    assert leftovers.of(tmp_path / "b.csv") == []
    left(tmp_path, "2")
    assert leftovers.of(tmp_path / "a.csv") == [part]
    assert leftovers.of(tmp_path / "new" / "a.csv") == []


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A partial that is a link to elsewhere is not written through."""
    part = left(tmp_path, part=False)
    part.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_text("theirs")
    assert take_up(tmp_path / "a.csv") is None
    assert names(tmp_path) == ["elsewhere"]


def test_what_cannot_be_removed_or_claimed_is_in_nobodys_way(tmp_path: Path) -> None:
    """A folder where a file should be."""
    part = left(tmp_path)
    part.with_name(part.name + ".claim").mkdir()
    assert take_up(tmp_path / "a.csv") is None
    assert names(tmp_path) == [".a.csv.1.part.claim"]


def test_after_a_reboot_only_a_hash_makes_a_partial_usable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may leave zeros at the end of a file."""
    for algorithm, usable in (("md5", True), (None, False)):
        part = left(tmp_path)
        _keep.remember(part, MEMO | {"algorithm": algorithm})
        monkeypatch.setattr(_keep, "_machine", lambda: "rebooted")
        assert (take_up(tmp_path / "a.csv") is not None) == usable
        _keep.forget(part)
        monkeypatch.undo()


def test_a_machine_without_proc_is_known_by_name_and_process_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its processes are asked for by number; where that cannot be done safely, they are taken to live."""
    original = Path.read_text

    def no_proc(path: Path, *args: object, **kwargs: object) -> str:
        if str(path).startswith("/proc/"):
            raise FileNotFoundError(path)
        return original(path, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "read_text", no_proc)
    part = left(tmp_path)
    assert _keep.claim(part)
    assert take_up(tmp_path / "a.csv") is None
    own(part, pid=2**22 + 1)
    part.with_name(part.name + ".claim").unlink()
    own(part, pid=2**22 + 1)
    assert take_up(tmp_path / "a.csv") is not None
    monkeypatch.setattr(os, "name", "nt")
    assert _keep._answers(2**22 + 1) == "unknown"
    monkeypatch.undo()


def test_a_machine_that_does_not_tell_its_boot_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no boot id."""

    def refuse(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", refuse)
    assert _keep._machine.__wrapped__() == platform.node()
