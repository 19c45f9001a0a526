"""The command `verify`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async.cli import main
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.testing import Emulator
from tests.cli.support import Cli, Result, Terminal, add_small_export


@pytest.fixture
def folder(empty: Emulator, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with two files of `sync`. The API key is removed."""
    add_small_export(empty)
    assert cli("sync", tmp_path).code == 0
    monkeypatch.delenv("PX_API_KEY")
    return tmp_path


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run the command without a base URL."""

    def run(*arguments: str | Path) -> Result:
        code = main(["verify", *map(str, arguments)])
        out, err = capsys.readouterr()
        return Result(code, out, err).check_secrets()

    return run


def test_unchanged_files(folder: Path, verify: Cli) -> None:
    """A file that is not in the manifest is listed, but is not a failure."""
    result = verify(folder)
    assert [row["state"] for row in result.table] == ["exact", "exact"]
    assert (result.code, result.err) == (0, "packagex-exports: 2 exact\n")
    (folder / "notes.txt").touch()
    result = verify(folder)
    columns = {"size": "", "expected_size": "", "export_id": "", "artifact": "", "key": ""}
    assert result.table[-1] == columns | {"state": "unlisted", "path": "notes.txt"}
    assert (result.code, result.err) == (0, "packagex-exports: 2 exact; 1 not in the manifest\n")


def test_changed_files_are_listed(folder: Path, verify: Cli) -> None:
    """The exit code is 5 if some files are unchanged, otherwise 6."""
    csv, json, _ = sorted(folder.iterdir())
    csv.write_text("other")
    result = verify(folder)
    (row,) = [row for row in result.table if row["state"] == "changed"]
    assert (row["size"], row["expected_size"], row["path"]) == ("5", "8", csv.name)
    assert (result.code, result.err) == (ExitCode.PARTIAL, "packagex-exports: 1 exact; 1 changed\n")
    json.unlink()
    assert verify(folder).code == ExitCode.NOTHING


def test_json_has_one_line_per_file_and_a_summary(folder: Path, verify: Cli) -> None:
    """The summary contains the number of files in each state."""
    csv, json, _ = sorted(folder.iterdir())
    json.unlink()
    *files, summary = verify(folder, "--json").records
    export_id = csv.stem
    assert sorted(files, key=lambda record: record["path"]) == [
        {
            "event": "file",
            "path": csv.name,
            "state": "exact",
            "export_id": export_id,
            "artifact": "csv",
            "size": 8,
            "expected_size": 8,
            "key": None,
        },
        {
            "event": "file",
            "path": json.name,
            "state": "missing",
            "export_id": export_id,
            "artifact": "json",
            "size": None,
            "expected_size": 6,
            "key": None,
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


def test_paths_outside_the_directory_are_not_read(folder: Path, verify: Cli) -> None:
    """They are reported."""
    manifest = folder / MANIFEST_NAME
    manifest.write_bytes(manifest.read_bytes().replace(b'"path":"', b'"path":"../'))
    result = verify(folder)
    assert result.code == ExitCode.NOTHING
    assert "2 outside the directory (not read)" in result.err


def test_terminal_shows_files_that_need_attention(
    folder: Path, verify: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files that are exact are only counted, and at most 100 files are listed."""
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    assert verify(folder).code == 0
    assert terminal.getvalue() == "2 exact\n"
    for number in range(103):
        (folder / f"{number}.txt").touch()
    assert verify(folder).code == 0
    assert terminal.getvalue().endswith("\nand 3 more\n\n2 exact; 103 not in the manifest\n")


def test_missing_manifest_is_a_usage_error(verify: Cli, tmp_path: Path) -> None:
    """An empty manifest is not."""
    result = verify(tmp_path)
    assert result.code == ExitCode.USAGE
    assert f"has no {MANIFEST_NAME}" in result.err
    (tmp_path / MANIFEST_NAME).touch()
    assert "there are no files, and the manifest is empty" in verify(tmp_path).err


def test_terminal_shows_a_bar(folder: Path, verify: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """It disappears in the end. `--quiet` disables it."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert verify(folder, "--quiet").code == 0
    assert terminal.getvalue() == "packagex-exports: 2 exact\n"
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert verify(folder).code == 0
    assert "verifying" in terminal.getvalue()
    assert terminal.is_cleared()


def test_empty_bucket(verify: Cli) -> None:
    """A bucket without manifest objects has nothing to verify."""
    pytest.importorskip("obstore")
    result = verify("memory://")
    assert (result.code, result.err.count("there are no files")) == (ExitCode.OK, 1)
