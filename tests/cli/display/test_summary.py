"""The summary at the end of `sync`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import attrs
import pytest

from packagex_async import (
    Artifact,
    DownloadedFile,
    DownloadReport,
    Export,
    ExportNotReadyError,
    ProgressEvent,
    ProgressKind,
    PrunedFile,
)
from packagex_async.cli.display.summary import SummaryPrinter
from packagex_async.cli.display.totals import MAX_LISTED, Totals
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.report import ByArtifact
from packagex_async.testing import Emulator
from tests.cli.display.test_plan import make_old
from tests.cli.support import Cli, Terminal, add_small_export, summary_counts


def test_further_failures_are_counted(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The length of the table is limited."""
    for _ in range(MAX_LISTED + 3):
        add_small_export(empty, status="queued")
    result = cli("sync", tmp_path, "--quiet")
    assert result.out.endswith("\nand 3 more\n")
    assert len(result.out.splitlines()) == 4 + MAX_LISTED + 1


def test_json_summary(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """It is the last line."""
    add_small_export(empty)
    add_small_export(empty, status="failed")
    summary = cli("sync", tmp_path, "--json").records[-1]
    assert summary | {"elapsed": 0} == {
        "event": "summary",
        "ended": "complete",
        "exit_code": 8,
        "directory": str(tmp_path),
        "exports": 2,
        "files": 2,
        "kept": 0,
        "not_offered": 2,
        "failed": 0,
        "failed_exports": 1,
        "bytes": 14,
        "rows": None,
        "row_differences": 0,
        "removed": 0,
        "removed_bytes": 0,
        "elapsed": 0,
        "error": None,
    }


def test_rows_that_differ_are_listed(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """Every run lists the differences, also those of kept files. They do not change the exit code."""
    content = {"json": b'[{"a": 1}]', "csv": b"a\n1\n2\n"}
    export = add_small_export(empty, content=content)
    empty.update_export(export.id, count_total=1)
    for _ in range(2):
        result = cli("sync", tmp_path, "--count-rows", "--quiet")
        heading, totals, blank, title, *table = result.out.splitlines()
        assert (heading.split()[-1], totals.split()[-1]) == ("rows", "3")
        assert (blank, title) == ("", "Files with another number of rows than count_total:")
        assert [line.split() for line in table] == [
            ["export_id", "artifact", "rows", "count_total"],
            [export.id, "csv", "2", "1"],
        ]
        assert result.code == 0
    summary = cli("sync", tmp_path, "--count-rows", "--json").records[-1]
    assert (summary["rows"], summary["row_differences"]) == (3, 1)


def test_further_differences_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """The table has a maximum length; a line counts the other differences."""
    totals = Totals()
    file = DownloadedFile(artifact=Artifact.CSV, path=Path("a.csv"), size=1, verified="length", rows=1)
    export = Export(id="exp_1", count_total=2)
    for _ in range(MAX_LISTED + 3):
        totals.add(DownloadReport(export_id="exp_1", export=export, files=ByArtifact([file])))
    SummaryPrinter(totals=totals, directory=Path("out"), json=False, resume=True).print(
        "complete", ExitCode.OK
    )
    assert capsys.readouterr().out.endswith("\nand 3 more\n")
    assert (totals.rows, totals.differing, len(totals.differences)) == (
        MAX_LISTED + 3,
        MAX_LISTED + 3,
        MAX_LISTED,
    )


@pytest.mark.parametrize(
    ("resume", "next_step"),
    [(True, "1 export finished. Run again to resume.\n"), (False, "1 export finished.\n")],
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
        f"packagex-exports: the disk is full\npackagex-exports: 0 files are complete in out, {next_step}"
    )


def test_complete_files_of_unfinished_exports_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """The run may stop before their export is finished."""
    totals = Totals()
    totals.on_progress(
        ProgressEvent(kind=ProgressKind.FINISHED, export_id="exp_1", artifact=Artifact.CSV, received=5)
    )
    summary = SummaryPrinter(totals=totals, directory=Path("out"), json=False, resume=True)
    summary.print("stopped", ExitCode.STOPPED, "the disk is full")
    out, err = capsys.readouterr()
    assert out.splitlines()[1].split("\t")[:3] == ["0", "1", "5 B"]
    assert err.splitlines()[-1] == (
        "packagex-exports: 1 file is complete in out, 0 exports finished. Run again to resume."
    )


def test_exports_that_failed_on_the_platform_have_their_own_line(
    empty: Emulator, cli: Cli, tmp_path: Path
) -> None:
    """They are not failed downloads."""
    add_small_export(empty)
    for status in ("failed", "timed_out"):
        add_small_export(empty, status=status)
    result = cli("sync", tmp_path, "--quiet")
    counts = summary_counts(result)
    assert (counts["failed"], counts["failed exports"]) == ("0", "2")
    assert result.out.endswith("\n2 exports failed on the platform.\n")


def test_removed_files_are_counted(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The column exists only with `--prune-after`. A dry run removes nothing."""
    export = add_small_export(empty)
    assert "removed" not in summary_counts(cli("sync", tmp_path, "--quiet"))
    make_old(tmp_path)
    empty.delete_export(export.id)
    arguments = ["sync", tmp_path, "--prune-after", "30d", "--quiet"]
    planned = cli(*arguments, "--dry-run", "--json").records[-1]
    assert (planned["removed"], planned["removed_bytes"]) == (0, 0)
    assert summary_counts(cli(*arguments))["removed"] == "2"
    assert summary_counts(cli(*arguments))["removed"] == "0"


def test_removed_bytes(tmp_path: Path) -> None:
    """Files that were not removed are not counted."""
    totals = Totals()
    file = PrunedFile(export_id="exp_1", artifact="csv", path=tmp_path, size=5, outcome="removed")
    for each in (file, attrs.evolve(file, outcome="changed"), file):
        totals.on_prune(each)
    assert (totals.removed, totals.removed_size) == (2, 10)


def test_exact_sizes(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """`--bytes` shows numbers of bytes, also in the totals of a dry run."""
    add_small_export(empty, content={"csv": b"a" * 2000})
    plan = cli("sync", tmp_path, "--bytes", "--dry-run").err
    assert "1 file to download, 2000 B." in plan
    counts = cli("sync", tmp_path, "--bytes", "--quiet").out.splitlines()[1].split("\t")
    assert counts[2] == "2000"
    assert counts[8].endswith(" B/s")


def show(monkeypatch: pytest.MonkeyPatch, totals: Totals, columns: int) -> list[str]:
    """Return the lines of the summary on a terminal of this width."""
    terminal = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        patch.setenv("COLUMNS", str(columns))
        patch.setenv("TERM", "dumb")
        summary = SummaryPrinter(
            totals=totals, directory=Path("out"), json=False, resume=True, has_removed=True
        )
        summary.print("complete", ExitCode.OK)
    return terminal.getvalue().splitlines()


@pytest.mark.parametrize("columns", [60, 80, 100, 120])
def test_each_row_is_one_line(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The least important columns are dropped on narrow terminals."""
    totals, export = Totals(), Export(id="exp_ujOeHwdFcAefAZhnM6Jy8c", count_total=2)
    file = DownloadedFile(artifact=Artifact.CSV, path=Path("a.csv"), size=1, verified="length", rows=1)
    totals.add(DownloadReport(export_id=export.id, export=export, files=ByArtifact([file])))
    message = f"export {export.id} is processing: download it once its status is completed"
    error = ExportNotReadyError(message, export_id=export.id)
    totals.add(DownloadReport(export_id=export.id, error=error))
    lines = show(monkeypatch, totals, columns)
    title = lines.pop(7)
    assert title.startswith("Files with another number of rows")
    assert max(map(len, lines)) <= columns
    headings, values, _, failure_headings, failure, hint, _, difference_headings, difference = lines
    assert ("failed exports" in headings, "rate" in headings) == (True, columns >= 100)
    assert len(headings) == len(values)
    assert failure_headings.split() == ["export_id", "artifact", "error"]
    assert hint == "hint: run again later, or with --wait"
    assert failure.split()[1:3] == ["-", "is"]
    assert difference_headings.split() == ["export_id", "artifact", "rows", "count_total"]
    assert difference.split()[1:] == ["csv", "1", "2"]
