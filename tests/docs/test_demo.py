"""The demo: it shows the truth, good or bad."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from packagex_async.cli import main
from packagex_async.testing import Emulator

EXPORTS = [export for export in Emulator().exports if export.status == "completed"]
OFFERED = [(export.id, artifact) for export in EXPORTS for artifact in export.artifacts]


def test_the_demo_survives_every_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every artifact replaces what an earlier run left; the table says what was asked for again, and why."""
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
    assert "15 exports listed; GET /v1/exports was answered 503, and asked again." in out
    assert f"{len(OFFERED)} of {len(OFFERED)} files equal" in out
    assert f"They are in {tmp_path}\n" in out
    assert err == ""
    assert len(list(tmp_path.iterdir())) == len(OFFERED)


def test_the_demo_owns_up_to_a_file_that_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where one artifact cannot be written the others are there, and the code is not 0."""
    lost = EXPORTS[5].id
    (tmp_path / f"{lost}.json").mkdir()
    assert main(["demo", "--directory", str(tmp_path), "--json", "--quiet"]) == 1
    out, err = capsys.readouterr()
    *records, summary = map(json.loads, out.splitlines())
    assert [(record["export_id"], record["artifact"]) for record in records] == OFFERED
    (bad,) = [record for record in records if not record["equal"]]
    assert bad == {
        "export_id": lost,
        "artifact": "json",
        "size": bad["size"],
        "attempts": None,
        "verified": None,
        "equal": False,
        "retried": [],
        "path": None,
    }
    assert summary == {
        "listed": 15,
        "api_retried": ["GET /v1/exports was answered 503"],
        "artifacts": len(OFFERED),
        "equal": len(OFFERED) - 1,
        "directory": str(tmp_path),
    }
    (complaint,) = err.splitlines()
    assert f"export {lost}, artifact json" in complaint


def test_the_demo_gives_no_warning(tmp_path: Path) -> None:
    """Nothing it uses is deprecated, and nothing it opens is left open."""
    demo = [sys.executable, "-W", "error", "-m", "packagex_async.cli", "demo"]
    done = subprocess.run(
        [*demo, "--quiet", "--directory", tmp_path], capture_output=True, text=True, check=True
    )
    assert f"{len(OFFERED)} of {len(OFFERED)} files equal" in done.stdout
    assert done.stderr == ""
