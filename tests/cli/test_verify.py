"""`verify`: what a folder still holds, told without network and key."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async.cli import main
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.testing import Emulator
from tests.cli.support import Cli, Ended, Terminal, small


@pytest.fixture
def folder(empty: Emulator, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two files, in a place from where nobody can be asked."""
    small(empty)
    assert cli("sync", tmp_path).code == 0
    monkeypatch.delenv("PX_API_KEY")
    return tmp_path


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs the command as it stands: with no base URL."""

    def run(*arguments: str | Path) -> Ended:
        code = main(["verify", *map(str, arguments)])
        out, err = capsys.readouterr()
        return Ended(code, out, err).without_secrets()

    return run


def test_all_is_as_it_was_brought(folder: Path, verify: Cli) -> None:
    """A file of others is told, and no failure."""
    assert verify(folder) == (0, "2 exact\n", "")
    (folder / "notes.txt").touch()
    ended = verify(folder)
    heading, row, _, told = ended.out.splitlines()
    assert heading.split() == ["state", "size", "expected", "path"]
    assert row.split() == ["unlisted", "-", "-", "notes.txt"]
    assert (ended.code, told) == (0, "2 exact; 1 not in the manifest")


def test_what_is_not_exact_is_listed(folder: Path, verify: Cli) -> None:
    """The code tells some from all."""
    csv, json, _ = sorted(folder.iterdir())
    csv.write_text("other")
    ended = verify(folder)
    assert ended.out.splitlines()[1].split() == ["changed", "5", "8", csv.name]
    assert (ended.code, ended.out.splitlines()[-1]) == (ExitCode.PARTIAL, "1 exact; 1 changed")
    json.unlink()
    assert verify(folder).code == ExitCode.NOTHING


def test_json_is_a_line_a_file_and_one_that_sums_up(folder: Path, verify: Cli) -> None:
    """Every state has its count."""
    csv, json, _ = sorted(folder.iterdir())
    json.unlink()
    *told, summary = verify(folder, "--json").records
    export_id = csv.stem
    assert sorted(told, key=lambda record: record["path"]) == [
        {
            "event": "file",
            "path": csv.name,
            "state": "exact",
            "export_id": export_id,
            "artifact": "csv",
            "size": 8,
            "expected_size": 8,
        },
        {
            "event": "file",
            "path": json.name,
            "state": "missing",
            "export_id": export_id,
            "artifact": "json",
            "size": None,
            "expected_size": 6,
        },
    ]
    assert summary == {
        "event": "summary",
        "exact": 1,
        "changed": 0,
        "missing": 1,
        "unreadable": 0,
        "outside": 0,
        "unlisted": 0,
    }


def test_a_path_that_leads_out_is_told(folder: Path, verify: Cli) -> None:
    """And not followed."""
    manifest = folder / MANIFEST_NAME
    manifest.write_bytes(manifest.read_bytes().replace(b'"path":"', b'"path":"../'))
    ended = verify(folder)
    assert ended.code == ExitCode.NOTHING
    assert "2 outside the folder, and not followed" in ended.out


def test_a_long_list_is_cut_short(folder: Path, verify: Cli) -> None:
    """The rest is a number."""
    for number in range(103):
        (folder / f"{number}.txt").touch()
    assert verify(folder).out.endswith("\nand 3 more\n\n2 exact; 103 not in the manifest\n")


def test_a_folder_that_sync_has_not_filled(verify: Cli, tmp_path: Path) -> None:
    """It is refused; an empty manifest is not."""
    ended = verify(tmp_path)
    assert ended.code == ExitCode.USAGE
    assert f"has no {MANIFEST_NAME}" in ended.err
    (tmp_path / MANIFEST_NAME).touch()
    assert verify(tmp_path) == (0, "The manifest names no file, and there is none.\n", "")


def test_a_terminal_sees_a_bar(folder: Path, verify: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is gone in the end; `--quiet` does without."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert verify(folder, "--quiet").code == 0
    assert terminal.getvalue() == ""
    assert verify(folder).code == 0
    assert "verifying" in terminal.getvalue()
    assert terminal.getvalue().rstrip().endswith("\x1b[2K")
