"""Dry runs and removed files at the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from packagex_async import DirectoryError, PrunedFile
from packagex_async.cli.display.plan import PlanPrinter, PrunePrinter, pruned_record
from packagex_async.testing import Emulator, Transcoded
from tests.cli.support import Cli, Terminal, add_small_export


def make_old(folder: Path) -> None:
    """Change the date of all entries of the manifest."""
    manifest = folder / "packagex-manifest.jsonl"
    entries = [json.loads(line) for line in manifest.read_text().splitlines()]
    old = [entry | {"when": "2020-01-01T00:00:00+00:00"} for entry in entries]
    manifest.write_text("".join(f"{json.dumps(entry, separators=(',', ':'))}\n" for entry in old))


def test_dry_run_of_sync(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The table has the reason, the size and the path of each file. Nothing is written."""
    export = add_small_export(empty)
    folder = tmp_path / "exports"
    result = cli("sync", folder, "--dry-run")
    assert result.out.splitlines() == [
        "export_id\tartifact\treason\tsize\tpath",
        f"{export.id}\tjson\tnew\t6\t{folder}/{export.id}.json",
        f"{export.id}\tcsv\tnew\t8\t{folder}/{export.id}.csv",
    ]
    assert "2 files to download, 14 B. Dry run: nothing was written." in result.err
    assert (result.code, folder.exists()) == (0, False)


def test_unknown_size(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """It is shown as unknown, and counted."""
    add_small_export(empty, content={"csv": b"a,b\n"})
    empty.inject(Transcoded())
    result = cli("sync", tmp_path, "--dry-run", "--exclude", "*.json")
    assert "\tcsv\tnew\t\t" in result.out
    assert "1 file to download, 0 B, and 1 of unknown size." in result.err


def test_dry_run_of_download_as_json(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """One object per file, then the totals."""
    export = add_small_export(empty)
    result = cli("download", export.id, "--directory", tmp_path, "--dry-run", "--json", "--bwlimit", "1M")
    # The other artifacts are not offered.
    *files, totals = [record for record in result.records if "event" in record]
    assert [(file["event"], file["artifact"], file["reason"], file["size"]) for file in files] == [
        ("planned", "json", "new", 6),
        ("planned", "csv", "new", 8),
    ]
    assert totals == {"event": "plan", "files": 2, "bytes": 14, "unknown_sizes": 0}
    assert list(tmp_path.iterdir()) == []


def test_empty_plan(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The totals are on stderr, because programs read stdout."""
    result = cli("sync", tmp_path, "--dry-run")
    assert result.out == "export_id\tartifact\treason\tsize\tpath\n"
    assert "0 files to download, 0 B." in result.err


def test_totals_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are below the table."""
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    PlanPrinter(json=False).print_totals()
    assert terminal.getvalue() == "\n0 files to download, 0 B. Dry run: nothing was written.\n"


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_removed_files(empty: Emulator, cli: Cli, tmp_path: Path, options: list[str]) -> None:
    """One line on stderr names each file, or one object on stdout."""
    export = add_small_export(empty)
    cli("sync", tmp_path)
    make_old(tmp_path)
    empty.delete_export(export.id)
    text = cli("sync", tmp_path, "--prune-after", "30d", "--dry-run")
    assert f"{tmp_path}/{export.id}.csv: would be removed" in text.err
    result = cli("sync", tmp_path, "--prune-after", "30d", "--json", *options)
    pruned: list[dict[str, Any]] = [line for line in result.records if line["event"] == "pruned"]
    outcome = "planned" if options else "removed"
    assert [(file["artifact"], file["outcome"]) for file in pruned] == [("json", outcome), ("csv", outcome)]
    assert (tmp_path / f"{export.id}.csv").exists() is bool(options)


def test_file_that_cannot_be_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line has the reason, also with `quiet`."""
    error = DirectoryError("no", filename="a", errno=13)
    failed = PrunedFile(
        export_id="exp_1", artifact="csv", path=tmp_path / "a", size=1, outcome="failed", error=error
    )
    assert pruned_record(failed)["error"] == "no"
    printer = PrunePrinter(json=False, quiet=True)
    printer(failed)
    assert capsys.readouterr().err == f"packagex-exports: {tmp_path}/a: not removed: no\n"
