"""The manifest: its entries are found, whatever else happened to the file."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async._files.paths import UnsafePathError
from packagex_async._sync import manifest_entry
from packagex_async._sync.manifest import MANIFEST_NAME, Manifest
from packagex_async._sync.manifest_entry import ManifestEntry
from tests.support import bind, names
from tests.unit.sync.manifests import ENTRY, MISSING, find, open_manifest


def test_appended_entries_are_found(tmp_path: Path) -> None:
    """This applies to the same and to the next run. The last entry of an artifact counts."""
    folder = tmp_path / "new" / "folder"
    for durable in (False, True):
        newer = attrs.evolve(ENTRY, size=8 + durable)
        with open_manifest(folder, durable=durable) as manifest:
            manifest.append([ENTRY, MISSING])
            manifest.append([newer])
            assert manifest.find("exp_1", ("json", "csv")) == {"json": MISSING, "csv": newer}
            assert manifest.find("exp_2", ("json", "csv")) == {}
        assert find(folder) == {"json": MISSING, "csv": newer}
    assert names(folder) == [MANIFEST_NAME]


valid_lines = st.builds(
    lambda export_id, artifact, size: attrs.evolve(
        ENTRY, export_id=f"exp_{export_id}", artifact=artifact, size=size
    ).dump()[:-1],
    st.integers(1, 3),
    st.sampled_from(["json", "csv"]),
    st.integers(0, 9),
)
foreign_lines = st.sampled_from(
    [b"", b"[]", b"null", b"[" * 9999, b'{"note": 1}', b"\xff\xfe\0", b"#", b"x" * 9000]
)
invalid_lines = valid_lines.map(lambda line: line[:-1]) | valid_lines.map(
    lambda line: line.replace(b'"size"', b'"length"')
)
endings = st.just(b"") | valid_lines.flatmap(
    lambda line: st.integers(0, len(line)).map(lambda cut: line[:cut])
)
endings |= st.sampled_from([b'{"note": 1}', b"mine", b"\0\0\0", b'{"export_id"', b"{" * 9999])


@given(st.lists(valid_lines | valid_lines | foreign_lines | invalid_lines, max_size=12), endings)
def test_incomplete_duplicate_and_foreign_lines(lines: list[bytes], ending: bytes) -> None:
    """The last valid entry counts, complete lines are not changed, and new lines are separate."""
    complete_lines = b"".join(line + b"\n" for line in lines)
    expected = {
        (line.export_id, line.artifact): line for text in lines if (line := ManifestEntry.parse(text))
    }
    if (complete := ManifestEntry.parse(ending)) is not None:
        expected[complete.export_id, complete.artifact] = complete
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        (folder / MANIFEST_NAME).write_bytes(complete_lines + ending)
        with open_manifest(folder) as manifest:
            for number in (1, 2, 3):
                entries = manifest.find(f"exp_{number}", ("json", "csv"))
                assert {(f"exp_{number}", name): line for name, line in entries.items()} == {
                    key: line for key, line in expected.items() if key[0] == f"exp_{number}"
                }
            repaired = (folder / MANIFEST_NAME).read_bytes()
            assert repaired in (complete_lines, complete_lines + ending + b"\n")
            manifest.append([attrs.evolve(ENTRY, export_id="exp_9")])
        assert (folder / MANIFEST_NAME).read_bytes() == repaired + attrs.evolve(
            ENTRY, export_id="exp_9"
        ).dump()
        assert find(folder, "exp_9").keys() == {"csv"}
        assert names(folder) == [MANIFEST_NAME]


def test_valid_entry_without_line_break_is_completed(tmp_path: Path) -> None:
    """The entry counts."""
    (tmp_path / MANIFEST_NAME).write_bytes(ENTRY.dump()[:-1])
    assert find(tmp_path) == {"csv": ENTRY}
    assert (tmp_path / MANIFEST_NAME).read_bytes() == ENTRY.dump()


def test_line_of_a_killed_process_is_ended(tmp_path: Path) -> None:
    """The process was killed while the manifest was open. Later entries are not lost."""
    with open_manifest(tmp_path) as manifest:
        manifest.append([MISSING])
        with (tmp_path / MANIFEST_NAME).open("ab") as file:
            file.write(ENTRY.dump()[:40])
        assert manifest.find("exp_1", ("json", "csv")) == {"json": MISSING}
        manifest.append([ENTRY])
        assert manifest.find("exp_1", ("json", "csv")) == {"json": MISSING, "csv": ENTRY}
    assert find(tmp_path) == {"json": MISSING, "csv": ENTRY}


def test_line_that_is_being_written_is_not_repaired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of it may be visible before the rest."""
    path, complete_lines = tmp_path / MANIFEST_NAME, MISSING.dump() + ENTRY.dump()
    path.write_bytes(complete_lines[:-40])
    monkeypatch.setattr(
        "packagex_async._sync.manifest.time.sleep", lambda _: path.write_bytes(complete_lines)
    )
    assert find(tmp_path) == {"json": MISSING, "csv": ENTRY}
    assert path.read_bytes() == complete_lines


def test_truncated_manifest_accepts_new_entries(tmp_path: Path) -> None:
    """Entries that are added later are found."""
    with open_manifest(tmp_path) as manifest:
        manifest.append([MISSING])
        (tmp_path / MANIFEST_NAME).write_bytes(b"")
        manifest.append([ENTRY])
    assert find(tmp_path) == {"csv": ENTRY}


def test_entries_of_another_process_are_found(tmp_path: Path) -> None:
    """They are found without reopening the manifest."""
    with open_manifest(tmp_path) as one, open_manifest(tmp_path) as other:
        assert one.find("exp_1", ("csv",)) == {}
        other.append([ENTRY])
        assert one.find("exp_1", ("csv",)) == {"csv": ENTRY}


def test_no_repair_while_another_process_uses_the_manifest(tmp_path: Path) -> None:
    """The incomplete line is removed after that process has ended."""
    (tmp_path / MANIFEST_NAME).write_bytes(ENTRY.dump())
    script = "import sys; from pathlib import Path; from packagex_async._sync.manifest import Manifest\n"
    script += (
        "manifest = Manifest(Path(sys.argv[1])); manifest.find('exp_1', ['csv']); print(flush=True); input()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        incomplete = ENTRY.dump() + ENTRY.dump()[:40]
        (tmp_path / MANIFEST_NAME).write_bytes(incomplete)
        assert find(tmp_path) == {"csv": ENTRY}
        assert (tmp_path / MANIFEST_NAME).read_bytes() == incomplete
        process.kill()
    assert find(tmp_path) == {"csv": ENTRY}
    assert (tmp_path / MANIFEST_NAME).read_bytes() == ENTRY.dump()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_incomplete_line_is_not_removed_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Another process may be writing the line, so it only gets a line break."""

    def refuse(*_: object) -> None:
        raise OSError(number, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    incomplete = ENTRY.dump() + ENTRY.dump()[:40]
    (tmp_path / MANIFEST_NAME).write_bytes(incomplete)
    assert find(tmp_path) == {"csv": ENTRY}
    assert (tmp_path / MANIFEST_NAME).read_bytes() == incomplete + b"\n"


def test_legacy_lock_file_is_removed(tmp_path: Path) -> None:
    """A recent one may be in use."""
    lock_file = tmp_path / f"{MANIFEST_NAME}.claim"
    lock_file.touch()
    assert find(tmp_path) == {}
    assert lock_file.exists()
    os.utime(lock_file, (1, 1))
    assert find(tmp_path) == {}
    assert names(tmp_path) == [MANIFEST_NAME]


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "socket"])
def test_manifest_must_be_a_regular_file(tmp_path: Path, kind: str) -> None:
    """Pipes and sockets do not block, and symbolic links are not followed."""
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    path = folder / MANIFEST_NAME
    elsewhere.write_bytes(ENTRY.dump()[:40])
    with socket.socket(socket.AF_UNIX) as listener:
        makers: dict[str, Callable[[], None]] = {
            "link": lambda: path.symlink_to(elsewhere),
            "pipe": lambda: os.mkfifo(path),
            "folder": path.mkdir,
            "socket": lambda: bind(listener, path),
        }
        makers[kind]()
        with open_manifest(folder) as manifest:
            for call in (lambda: manifest.append([ENTRY]), lambda: manifest.find("exp_1", ["csv"])):
                with pytest.raises(UnsafePathError, match=MANIFEST_NAME):
                    call()
    assert elsewhere.read_bytes() == ENTRY.dump()[:40]


@pytest.mark.parametrize("length", [9000, 100_000, 500_000])
def test_long_export_ids_are_found(tmp_path: Path, length: int) -> None:
    """This applies to the same and to the next run."""
    export_id = "exp_" + "é" * length if length < 500_000 else "exp_" + "x" * length
    line = attrs.evolve(ENTRY, export_id=export_id)
    with open_manifest(tmp_path) as manifest:
        manifest.append([MISSING, line, ENTRY])
        assert manifest.find(export_id, ("csv",)) == {"csv": line}
    assert find(tmp_path, export_id) == {"csv": line}
    assert find(tmp_path) == {"json": MISSING, "csv": ENTRY}


def test_hash_collision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The later entry hides the earlier one, but is not returned for it."""
    monkeypatch.setattr(manifest_entry, "hash", lambda _: 1, raising=False)
    with open_manifest(tmp_path) as manifest:
        manifest.append([MISSING, ENTRY])
        assert manifest.find("exp_1", ("json", "csv")) == {"csv": ENTRY}


def test_full_disk_raises_an_error(tmp_path: Path) -> None:
    """A partially written line is no entry."""
    manifest = Manifest(tmp_path)
    manifest.append([ENTRY])
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
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(result.stdout) == errno.ENOSPC
    manifest.append([MISSING])
    assert manifest.find("exp_1", ("json", "csv")) == {"json": MISSING, "csv": ENTRY}
    manifest.close()


def test_read_only_manifest(tmp_path: Path) -> None:
    """It is opened once, if it exists, and never created."""
    manifest = Manifest(tmp_path, read_only=True)
    assert manifest.find("exp_1", ("json",)) == {}
    assert names(tmp_path) == []
    with open_manifest(tmp_path) as other:
        other.append([MISSING])
    for _ in range(2):
        assert manifest.find("exp_1", ("json",)) == {"json": MISSING}
    manifest.close()


@pytest.mark.parametrize("is_replaced", [False, True])
def test_manifest_that_is_removed_while_it_is_used(tmp_path: Path, is_replaced: bool) -> None:
    """The next entries are in a new file, or in the file that has replaced it."""
    folder = tmp_path / "folder"
    newer = attrs.evolve(ENTRY, size=9)
    with open_manifest(folder) as manifest:
        manifest.append([MISSING, ENTRY])
        (folder / MANIFEST_NAME).unlink()
        if is_replaced:
            (folder / MANIFEST_NAME).write_bytes(MISSING.dump())
        else:
            folder.rmdir()
        expected = {"json": MISSING} if is_replaced else {}
        assert manifest.find("exp_1", ("json", "csv")) == expected
        manifest.append([newer])
        assert manifest.find("exp_1", ("json", "csv")) == {**expected, "csv": newer}
    assert find(folder) == {**expected, "csv": newer}
