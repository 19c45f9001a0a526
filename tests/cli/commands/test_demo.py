"""The command `demo`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from packagex_async.cli import main
from packagex_async.testing import Emulator
from tests.cli.support import COMMAND

EXPORTS = [export for export in Emulator().exports if export.status == "completed"]
OFFERED = [(export.id, artifact) for export in EXPORTS for artifact in export.artifacts]


def test_all_files_are_equal_despite_the_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files of an earlier run are replaced. The table shows the reason for each retry."""
    (tmp_path / f"{EXPORTS[0].id}.csv").write_text("from an earlier run")
    assert main(["demo", "--directory", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    rows = {tuple(line.split()[:2]): line for line in out.splitlines() if line.startswith("exp_")}
    assert list(rows) == OFFERED
    assert {row.split()[5] for row in rows.values()} == {"equal"}
    first, second, third, fourth = (export.id for export in EXPORTS[:4])
    assert "the body ended" in rows[first, "csv"]
    assert "the body ended" in rows[second, "json"]
    assert "answered 500" in rows[third, "csv"]
    assert "do not have the" in rows[fourth, "json"]
    assert sum(row.split()[3] == "2" for row in rows.values()) == 4
    assert "15 exports listed. GET /v1/exports was answered 503, and retried." in out
    assert f"{len(OFFERED)} of {len(OFFERED)} files are identical" in out
    assert f"They are in {tmp_path}\n" in out
    assert err == ""
    assert len(list(tmp_path.iterdir())) == len(OFFERED)


def test_failed_artifact_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The other files are complete, and the exit code is 1."""
    failing = EXPORTS[5].id
    (tmp_path / f"{failing}.json").mkdir()
    assert main(["demo", "--directory", str(tmp_path), "--json", "--quiet"]) == 1
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
