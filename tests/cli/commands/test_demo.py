"""The command `demo`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from packagex_async.cli import main
from packagex_async.testing import Emulator
from tests.cli.support import COMMAND, Terminal

EXPORTS = [export for export in Emulator().exports if export.status == "completed"]
OFFERED = [(export.id, artifact) for export in EXPORTS for artifact in export.artifacts]


def test_all_files_are_equal_despite_the_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files of an earlier run are replaced. The table shows the reason for each retry."""
    (tmp_path / f"{EXPORTS[0].id}.csv").write_text("from an earlier run")
    assert main(["demo", "--directory", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    cells = [line.split("\t") for line in out.splitlines() if line.startswith("exp_")]
    rows = {tuple(row[:2]): row for row in cells}
    assert list(rows) == OFFERED
    assert {row[5] for row in rows.values()} == {"equal"}
    first, second, third = (export.id for export in EXPORTS[:3])
    assert "the body ended" in rows[first, "json"][6]
    assert "the link has expired" in rows[second, "csv"][6]
    assert "do not have the" in rows[third, "csv"][6]
    assert sum(row[3] == "2" for row in rows.values()) == 3
    assert f"{len(OFFERED)} of {len(OFFERED)} files are identical" in out
    assert f"They are in {tmp_path}\n" in out
    assert err == ""
    assert len(list(tmp_path.glob("exp_*"))) == len(OFFERED)


def make_demo_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the waits of the demo on a terminal."""
    monkeypatch.setattr("packagex_async.cli.demo.steps._SECONDS_OF_PARALLEL_DOWNLOADS", 0.01)
    monkeypatch.setattr("packagex_async.cli.demo.steps._SECONDS_OF_FILE", 0.01)
    monkeypatch.setattr("packagex_async.cli.demo.steps._RETRY_AFTER", "0")


@pytest.mark.parametrize("columns", [80, 120])
def test_demo_on_a_terminal(columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows the listing, live rows, the steps, and three commands. No explanation is wrapped."""
    make_demo_fast(monkeypatch)
    monkeypatch.setenv("COLUMNS", str(columns))
    out, err = Terminal(), Terminal()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    assert main(["demo", "--directory", str(tmp_path)]) == 0
    lines = out.getvalue().splitlines()
    assert [line[:3] for line in lines if line[1:2] == "/"] == [f"{number}/6" for number in range(1, 7)]
    assert all(line.endswith(".") for line in lines if line[1:2] == "/")
    assert len([line for line in lines if line.startswith("exp_")]) == 15
    assert lines[-4].endswith(f"verify {tmp_path}")
    assert "emulator --port" in lines[-3]
    assert "sync exports" in lines[-1]
    assert "total" in err.getvalue()
    assert err.is_cleared()


def test_failed_artifact_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The other files are complete, and the exit code is 1."""
    failing = EXPORTS[5].id
    (tmp_path / f"{failing}.json").mkdir()
    assert main(["demo", "--directory", str(tmp_path), "--json"]) == 1
    out, err = capsys.readouterr()
    *records, summary = map(json.loads, out.splitlines())
    assert [(record["export_id"], record["artifact"]) for record in records] == OFFERED
    (failed,) = [record for record in records if not record["equal"]]
    assert failed == {
        "schema_version": 1,
        "event": "compared",
        "export_id": failing,
        "artifact": "json",
        "size": failed["size"],
        "attempts": None,
        "verified": None,
        "equal": False,
        "retried": [],
        "path": None,
    }
    assert summary == {
        "schema_version": 1,
        "event": "summary",
        "listed": 15,
        "api_retried": ["GET /v1/exports was answered 503"],
        "artifacts": len(OFFERED),
        "equal": len(OFFERED) - 1,
        "directory": str(tmp_path),
    }
    line, hint = err.splitlines()
    assert hint.startswith("hint: ")
    assert f"export {failing}, artifact json" in line


def test_process_emits_no_warning(tmp_path: Path) -> None:
    """It uses no deprecated API and leaves no resource open."""
    done = subprocess.run(
        [*COMMAND, "demo", "--quiet", "--directory", tmp_path], capture_output=True, text=True, check=True
    )
    assert f"{len(OFFERED)} of {len(OFFERED)} files are identical" in done.stdout
    assert done.stderr == ""
