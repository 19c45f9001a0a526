"""The manifest: what was brought is known again, whatever else has happened to the file."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async._files.paths import UnsafePathError
from packagex_async._sync import manifest as manifest_module
from packagex_async._sync.manifest import NAME, Manifest
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async._sync.manifest_reader import MAX_LINE, MIN_LINE, RawLine, read_lines
from tests.support import names

LINE = ManifestEntry(
    export_id="exp_1",
    artifact="csv",
    path="exp_1.csv",
    size=7,
    sha256="0" * 64,
    verified="checksum",
    when="2024-05-01T12:00:00+00:00",
    updated_at="2024-05-01T11:00:00+00:00",
)
ABSENT = ManifestEntry(export_id="exp_1", artifact="json", when=LINE.when, updated_at=None)


@contextlib.contextmanager
def opened(folder: Path, *, durable: bool = False) -> Iterator[Manifest]:
    manifest = Manifest(folder, durable=durable)
    try:
        yield manifest
    finally:
        manifest.close()


def found(folder: Path, export_id: str = "exp_1") -> dict[str, ManifestEntry]:
    with opened(folder) as manifest:
        return manifest.find(export_id, ("json", "csv"))


def test_what_was_appended_is_found(tmp_path: Path) -> None:
    """In this run and in the next; the last line of an artifact wins."""
    folder = tmp_path / "new" / "folder"
    for durable in (False, True):
        newer = attrs.evolve(LINE, size=8 + durable)
        with opened(folder, durable=durable) as manifest:
            manifest.append([LINE, ABSENT])
            manifest.append([newer])
            assert manifest.find("exp_1", ("json", "csv")) == {"json": ABSENT, "csv": newer}
            assert manifest.find("exp_2", ("json", "csv")) == {}
        assert found(folder) == {"json": ABSENT, "csv": newer}
    assert names(folder) == [NAME]


def test_a_line_is_json_without_surprises(tmp_path: Path) -> None:
    """One object a line, with the fields that the docs name."""
    with opened(tmp_path) as manifest:
        manifest.append([LINE])
        manifest.close()
    (text,) = (tmp_path / NAME).read_text().splitlines()
    assert json.loads(text) == attrs.asdict(LINE)
    assert list(json.loads(text)) == [
        "export_id", "artifact", "path", "size", "sha256", "verified", "when", "updated_at",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"export_id": 7},
        {"artifact": None},
        {"path": 1},
        {"path": None},
        {"size": "7"},
        {"size": True},
        {"size": -1},
        {"size": 1.5},
        {"sha256": None},
        {"verified": None},
        {"when": None},
        {"updated_at": 5},
        {"size": 2**63},
        {"sha256": "x" * 64},
        {"sha256": "\x1b[31m"},
        {"verified": "surely"},
    ],
)
def test_an_odd_line_is_passed_over(tmp_path: Path, changes: dict[str, Any]) -> None:
    """The good one before it still holds."""
    odd = json.dumps(attrs.asdict(LINE) | changes).encode()
    (tmp_path / NAME).write_bytes(LINE.dump() + odd + b"\n")
    assert found(tmp_path) == {"csv": LINE}


goods = st.builds(
    lambda export_id, artifact, size: attrs.evolve(
        LINE, export_id=f"exp_{export_id}", artifact=artifact, size=size
    ).dump()[:-1],
    st.integers(1, 3),
    st.sampled_from(["json", "csv"]),
    st.integers(0, 9),
)
foreign = st.sampled_from(
    [b"", b"[]", b"null", b"[" * 9999, b'{"note": 1}', b"\xff\xfe\0", b"#", b"x" * 9000]
)
odd = goods.map(lambda line: line[:-1]) | goods.map(lambda line: line.replace(b'"size"', b'"length"'))
tails = st.just(b"") | goods.flatmap(lambda line: st.integers(0, len(line)).map(lambda cut: line[:cut]))
tails |= st.sampled_from([b'{"note": 1}', b"mine", b"\0\0\0", b'{"export_id"', b"{" * 9999])


@given(st.lists(goods | goods | foreign | odd, max_size=12), tails)
def test_torn_duplicated_and_foreign_lines_do_no_harm(lines: list[bytes], tail: bytes) -> None:
    """The last good line of an artifact wins, whole lines stay as they are, and new ones stand apart."""
    whole = b"".join(line + b"\n" for line in lines)
    expected = {
        (line.export_id, line.artifact): line for text in lines if (line := ManifestEntry.parse(text))
    }
    if (complete := ManifestEntry.parse(tail)) is not None:
        expected[complete.export_id, complete.artifact] = complete
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / NAME).write_bytes(whole + tail)
        with opened(folder) as manifest:
            for number in (1, 2, 3):
                there = manifest.find(f"exp_{number}", ("json", "csv"))
                assert {(f"exp_{number}", name): line for name, line in there.items()} == {
                    key: line for key, line in expected.items() if key[0] == f"exp_{number}"
                }
            repaired = (folder / NAME).read_bytes()
            assert repaired in (whole, whole + tail + b"\n")
            manifest.append([attrs.evolve(LINE, export_id="exp_9")])
        assert (folder / NAME).read_bytes() == repaired + attrs.evolve(LINE, export_id="exp_9").dump()
        assert found(folder, "exp_9").keys() == {"csv"}
        assert names(folder) == [NAME]


def test_a_good_line_without_its_end_is_no_torn_one(tmp_path: Path) -> None:
    """It is given one, and counts."""
    (tmp_path / NAME).write_bytes(LINE.dump()[:-1])
    assert found(tmp_path) == {"csv": LINE}
    assert (tmp_path / NAME).read_bytes() == LINE.dump()


def test_a_line_torn_by_another_process_is_ended_by_the_next(tmp_path: Path) -> None:
    """It died while this one was at work; nothing that follows is lost with it."""
    with opened(tmp_path) as manifest:
        manifest.append([ABSENT])
        with (tmp_path / NAME).open("ab") as file:
            file.write(LINE.dump()[:40])
        assert manifest.find("exp_1", ("json", "csv")) == {"json": ABSENT}
        manifest.append([LINE])
        assert manifest.find("exp_1", ("json", "csv")) == {"json": ABSENT, "csv": LINE}
    assert found(tmp_path) == {"json": ABSENT, "csv": LINE}


def test_a_line_that_another_process_is_writing_is_no_torn_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it may be seen before the rest is there; no blank line comes of it."""
    path, whole = tmp_path / NAME, ABSENT.dump() + LINE.dump()
    path.write_bytes(whole[:-40])
    monkeypatch.setattr("packagex_async._sync.manifest.time.sleep", lambda _: path.write_bytes(whole))
    assert found(tmp_path) == {"json": ABSENT, "csv": LINE}
    assert path.read_bytes() == whole


def test_one_that_is_emptied_meanwhile_takes_lines_all_the_same(tmp_path: Path) -> None:
    """Whatever somebody wanted with that: what comes afterwards is not lost."""
    with opened(tmp_path) as manifest:
        manifest.append([ABSENT])
        (tmp_path / NAME).write_bytes(b"")
        manifest.append([LINE])
    assert found(tmp_path) == {"csv": LINE}


def test_lines_of_another_process_are_found(tmp_path: Path) -> None:
    """As soon as they are there."""
    with opened(tmp_path) as one, opened(tmp_path) as other:
        assert one.find("exp_1", ("csv",)) == {}
        other.append([LINE])
        assert one.find("exp_1", ("csv",)) == {"csv": LINE}


def test_nobody_repairs_while_another_process_uses_the_manifest(tmp_path: Path) -> None:
    """It may be writing; as soon as it is dead, nothing is in the way."""
    (tmp_path / NAME).write_bytes(LINE.dump())
    script = "import sys; from pathlib import Path; from packagex_async._sync.manifest import Manifest\n"
    script += (
        "manifest = Manifest(Path(sys.argv[1])); manifest.find('exp_1', ['csv']); print(flush=True); input()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        torn = LINE.dump() + LINE.dump()[:40]
        (tmp_path / NAME).write_bytes(torn)
        assert found(tmp_path) == {"csv": LINE}
        assert (tmp_path / NAME).read_bytes() == torn
        process.kill()
    assert found(tmp_path) == {"csv": LINE}
    assert (tmp_path / NAME).read_bytes() == LINE.dump()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_without_locks_a_torn_line_is_ended_and_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Another process may be using the manifest."""

    def refuse(*_: object) -> None:
        raise OSError(number, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    torn = LINE.dump() + LINE.dump()[:40]
    (tmp_path / NAME).write_bytes(torn)
    assert found(tmp_path) == {"csv": LINE}
    assert (tmp_path / NAME).read_bytes() == torn + b"\n"


def test_an_old_claim_of_an_earlier_version_is_removed(tmp_path: Path) -> None:
    """A recent one may be in use."""
    claim = tmp_path / f"{NAME}.claim"
    claim.touch()
    assert found(tmp_path) == {}
    assert claim.exists()
    os.utime(claim, (1, 1))
    assert found(tmp_path) == {}
    assert names(tmp_path) == [NAME]


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "socket"])
def test_what_is_no_regular_file_is_no_manifest(tmp_path: Path, kind: str) -> None:
    """It is not waited for, and what a link leads to is not touched."""
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    path = folder / NAME
    elsewhere.write_bytes(LINE.dump()[:40])
    with socket.socket(socket.AF_UNIX) as listener:
        makers: dict[str, Callable[[], None]] = {
            "link": lambda: path.symlink_to(elsewhere),
            "pipe": lambda: os.mkfifo(path),
            "folder": path.mkdir,
            "socket": lambda: listener.bind(str(path)),
        }
        makers[kind]()
        with opened(folder) as manifest:
            for act in (lambda: manifest.append([LINE]), lambda: manifest.find("exp_1", ["csv"])):
                with pytest.raises(UnsafePathError, match=NAME):
                    act()
    assert elsewhere.read_bytes() == LINE.dump()[:40]


@pytest.mark.parametrize("length", [9000, 100_000, 500_000])
def test_an_id_of_any_length_is_known(tmp_path: Path, length: int) -> None:
    """In the run that wrote it, and in the next."""
    export_id = "exp_" + "é" * length if length < 500_000 else "exp_" + "x" * length
    line = attrs.evolve(LINE, export_id=export_id)
    with opened(tmp_path) as manifest:
        manifest.append([ABSENT, line, LINE])
        assert manifest.find(export_id, ("csv",)) == {"csv": line}
    assert found(tmp_path, export_id) == {"csv": line}
    assert found(tmp_path) == {"json": ABSENT, "csv": LINE}


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_longer_than_any_of_ours_is_passed_over(tmp_path: Path, end: bytes) -> None:
    """In bounded memory; what is before and behind it holds."""
    huge = b'{"export_id":"' + b"x" * (9 * MAX_LINE) + b'"}'
    (tmp_path / NAME).write_bytes(ABSENT.dump() + huge + b"\n" + LINE.dump() + huge + end)
    tracemalloc.start()
    try:
        with opened(tmp_path) as manifest:
            assert manifest.find("exp_1", ("json", "csv")) == {"json": ABSENT, "csv": LINE}
        assert tracemalloc.get_traced_memory()[1] < 8 * MAX_LINE
    finally:
        tracemalloc.stop()
    assert (tmp_path / NAME).read_bytes().endswith(huge + b"\n")


@pytest.mark.parametrize("cut", [1, 2])
def test_a_line_at_the_limit_is_the_longest_that_is_read(tmp_path: Path, cut: int) -> None:
    """Wherever the blocks end that it is read in."""
    empty = len(attrs.evolve(LINE, export_id="").dump()) - 1
    for length, known in ((MAX_LINE, True), (MAX_LINE + 1, False)):
        line = attrs.evolve(LINE, export_id="x" * (length - empty))
        other = b"x" * (MAX_LINE // cut) + b"\n"
        (tmp_path / NAME).write_bytes(other + line.dump() + LINE.dump())
        assert (found(tmp_path, line.export_id) == {"csv": line}) == known
        assert found(tmp_path) == {"csv": LINE}


@pytest.mark.parametrize("short", [b"\n", b"{\n", b"{}\n", b"\r\n", b"x" * (MIN_LINE - 1) + b"\n"])
def test_millions_of_short_lines_cost_nothing_each(tmp_path: Path, short: bytes) -> None:
    """No entry is so short: such lines are passed over at once, and stay as they are."""
    many = short * (3_000_000 // len(short))
    (tmp_path / NAME).write_bytes(many + ABSENT.dump() + many + LINE.dump() + many)
    with FileIO(tmp_path / NAME, "rb") as file:
        lines = list(read_lines(file, 0))
    assert len(lines) < 100
    assert lines[-1].end == len(many) * 3 + len(ABSENT.dump()) + len(LINE.dump())
    assert found(tmp_path) == {"json": ABSENT, "csv": LINE}
    assert (tmp_path / NAME).read_bytes().startswith(many)


def test_the_shortest_entry_is_read(tmp_path: Path) -> None:
    """It is longer than what is passed over."""
    shortest = ManifestEntry(export_id="", artifact="", when="", updated_at=None)
    assert len(shortest.dump()) > MIN_LINE
    (tmp_path / NAME).write_bytes(shortest.dump())
    with opened(tmp_path) as manifest:
        assert manifest.find("", ("",)) == {"": shortest}


def test_a_torn_line_behind_short_ones_is_removed_alone(tmp_path: Path) -> None:
    """Lines of others stay, however short they are."""
    (tmp_path / NAME).write_bytes(b"\nx\n" + LINE.dump()[:30])
    with opened(tmp_path) as manifest:
        manifest.append([LINE])
    assert (tmp_path / NAME).read_bytes() == b"\nx\n" + LINE.dump()


def test_a_tail_that_does_not_grow_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often something is looked up while another process holds it."""
    read: list[int] = []
    (tmp_path / NAME).write_bytes(LINE.dump())
    with opened(tmp_path) as one:
        one.find("exp_1", ("csv",))
        with (tmp_path / NAME).open("ab") as file:
            file.write(b"x" * 5000)
        real = read_lines

        def count(file: FileIO, position: int) -> Iterator[RawLine]:
            read.append(position)
            return real(file, position)

        monkeypatch.setattr(manifest_module, "read_lines", count)
        for _ in range(9):
            assert one.find("exp_1", ("csv",)) == {"csv": LINE}
    assert read == [len(LINE.dump())]


def test_two_artifacts_of_one_hash_are_not_mixed_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The later one hides the earlier one; neither is taken for the other."""
    monkeypatch.setattr(manifest_module, "hash", lambda _: 1, raising=False)
    with opened(tmp_path) as manifest:
        manifest.append([ABSENT, LINE])
        assert manifest.find("exp_1", ("json", "csv")) == {"csv": LINE}


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """Half a line counts as none."""
    manifest = Manifest(tmp_path)
    manifest.append([LINE])
    script = (
        "import signal, resource, sys; from pathlib import Path\n"
        "from packagex_async._sync.manifest import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "manifest = Manifest(Path(sys.argv[1])); (line,) = manifest.find('exp_1', ['csv']).values()\n"
        "size = manifest.path.stat().st_size + 40\n"
        "limits = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))\n"
        "try: manifest.append([line])\n"
        "except OSError as error: print(error.errno)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, limits)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(told.stdout) == errno.ENOSPC
    manifest.append([ABSENT])
    assert manifest.find("exp_1", ("json", "csv")) == {"json": ABSENT, "csv": LINE}
    manifest.close()
