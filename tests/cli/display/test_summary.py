"""The summary at the end of `sync`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from packagex_async import DownloadReport
from packagex_async.cli.display.summary import SummaryPrinter
from packagex_async.cli.display.totals import MAX_LISTED_FAILURES, Totals
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.testing import Emulator
from tests.cli.support import Cli, add_small_export


def test_further_failures_are_counted(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The length of the table is limited."""
    for _ in range(MAX_LISTED_FAILURES + 3):
        add_small_export(empty, status="queued")
    result = cli("sync", tmp_path, "--quiet")
    assert result.out.endswith("\nand 3 more\n")
    assert len(result.out.splitlines()) == 4 + MAX_LISTED_FAILURES + 1


def test_json_summary(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """It is the last line."""
    add_small_export(empty)
    add_small_export(empty, status="failed")
    summary = cli("sync", tmp_path, "--json").records[-1]
    assert summary | {"elapsed": 0} == {
        "event": "summary",
        "ended": "complete",
        "exit_code": 5,
        "directory": str(tmp_path),
        "exports": 2,
        "files": 2,
        "kept": 0,
        "missing": 2,
        "failed": 1,
        "bytes": 14,
        "elapsed": 0,
        "error": None,
    }


@pytest.mark.parametrize(
    ("resume", "next_step"),
    [(True, "complete in out. Run again to resume.\n"), (False, "complete in out.\n")],
)
def test_stopped_run_prints_the_next_step(
    resume: bool, next_step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is the last line on stderr, after the error."""
    totals = Totals()
    totals.add(DownloadReport(export_id="exp_1"))
    summary = SummaryPrinter(totals=totals, directory=Path("out"), json=True, resume=resume)
    summary.print("stopped", ExitCode.STOPPED, "the disk is full")
    out, err = capsys.readouterr()
    assert json.loads(out)["error"] == "the disk is full"
    assert err == (
        f"packagex-exports: the disk is full\npackagex-exports: 0 files of 1 exports are {next_step}"
    )
