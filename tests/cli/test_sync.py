"""`sync`: what it says while it runs and when it ends, and that it can be interrupted and run again."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from packagex_async import (
    Artifact,
    ChecksumError,
    DownloadReport,
    ExportNotReadyError,
    ProgressEvent,
    ProgressKind,
    StorageError,
)
from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async.cli.display.dashboard import MOST_SHOWN, Board
from packagex_async.cli.display.tally import MOST_LISTED, Tally
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.report import ByArtifact
from packagex_async.testing import Emulator, Status
from tests.cli.support import PATIENT, Cli, Ended, Noticed, Terminal, small
from tests.support import names


def files(folder: Path) -> list[str]:
    return [name for name in names(folder) if name != MANIFEST_NAME]


def counts(ended: Ended) -> dict[str, str]:
    """The table of counts, without what the clock decides."""
    heading, row, *_ = ended.out.splitlines()
    told = dict(zip(heading.split(), re.split(r"  +", row), strict=True))
    assert re.fullmatch(r"\d+\.\d s", told.pop("time"))
    assert re.fullmatch(r"[\d.]+ \w+/s", told.pop("rate"))
    return told


def test_every_file_is_a_line_and_the_end_a_table(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """Where stderr is no terminal; a second run has nothing to say but that all was kept."""
    one, two = small(empty), small(empty)
    folder = tmp_path / "new"
    ended = cli("sync", folder)
    brought = [f"{export.id}{suffix}" for export in (one, two) for suffix in (".csv", ".json")]
    assert files(folder) == sorted(brought)
    assert sorted(ended.err.splitlines()) == sorted(
        f"packagex-exports: {folder / name}: {8 if 'csv' in name else 6} bytes, verified by checksum"
        for name in brought
    )
    told = {"exports": "2", "files": "4", "bytes": "28 bytes", "kept": "0", "missing": "4", "failed": "0"}
    assert (ended.code, counts(ended)) == (0, told)
    again = cli("sync", folder)
    assert (again.code, again.err) == (0, "")
    assert counts(again) == told | {"files": "0", "bytes": "0 bytes", "kept": "4"}


def test_nothing_to_do_is_no_failure(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """An organization without exports."""
    ended = cli("sync", tmp_path)
    assert (ended.code, ended.err, counts(ended)["exports"]) == (0, "", "0")


def test_every_option_reaches_the_download(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The filters by the API's names, the layout, the artifacts; a file of others is replaced when told."""
    export = small(empty, resource="shipment")
    target = tmp_path / "shipment" / f"{export.id}.csv"
    target.parent.mkdir()
    target.write_text("mine")
    options = "--order-by count_total --direction desc --resource shipment --search ship --limit 7 --wait"
    options += " --statuses completed --statuses queued,failed --artifacts csv,csv_error --concurrency 2"
    options += " --verify --no-resume --overwrite --fsync --require-verification --max-size 9 --segments 1"
    ended = cli("sync", tmp_path, "--layout", "{resource}/{id}", *options.split())
    assert (ended.code, counts(ended)["files"]) == (0, "1")
    assert empty.requests[0].query == {
        "page": "1",
        "limit": "7",
        "order_by": "count_total",
        "direction": "desc",
        "resource": "shipment",
        "statuses": "completed,queued,failed",
        "search": "ship",
    }
    assert target.read_bytes() == empty.content(export.id, "csv")
    assert cli("sync", tmp_path, "--no-resume", "--max-size", "7", "--artifacts", "csv").code == 6


@pytest.mark.parametrize("anything_came", [True, False])
def test_exports_that_are_late_are_told_and_have_their_own_code(
    empty: Emulator, cli: Cli, tmp_path: Path, anything_came: bool
) -> None:
    """A line says how many are waited for; when the time is up, each is listed with what to do."""
    late = [small(empty, status="processing"), small(empty, status="queued")]
    if anything_came:
        small(empty)
    ended = cli("sync", tmp_path, "--wait-timeout", "0.05")
    assert ended.code == ExitCode.NOT_READY
    assert "packagex-exports: waiting for 2 exports\n" in ended.err
    assert counts(ended)["failed"] == "2"
    for export in late:
        (line,) = [line for line in ended.out.splitlines() if line.startswith(export.id)]
        assert "after 0.05 seconds" in line
        assert "with a longer --wait-timeout" in line


def test_another_failure_beside_late_exports_decides_the_code(
    empty: Emulator, cli: Cli, tmp_path: Path
) -> None:
    """Late ones alone are no failure of a download."""
    small(empty, status="processing")
    small(empty, status="failed")
    assert cli("sync", tmp_path, "--wait-timeout", "0.05").code == ExitCode.NOTHING
    small(empty)
    assert cli("sync", tmp_path, "--wait-timeout", "0.05").code == ExitCode.PARTIAL


def test_in_json_it_is_told_what_is_waited_for(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """Once, by id."""
    late = [small(empty, status="processing").id for _ in range(2)]
    records = cli("sync", tmp_path, "--wait-timeout", "0.05", "--json").records
    assert [record for record in records if record["event"] == "waiting"] == [
        {"event": "waiting", "export_ids": late}
    ]
    assert cli("sync", tmp_path, "--wait-timeout", "0.05", "--quiet").err == ""


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_a_time_to_wait_that_makes_no_sense_is_a_usage_error(
    empty: Emulator, cli: Cli, tmp_path: Path, seconds: str
) -> None:
    """Nothing is asked for."""
    assert cli("sync", tmp_path, "--wait-timeout", seconds).code == ExitCode.USAGE
    assert empty.requests == []


def test_on_a_terminal_a_row_shows_how_many_are_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    """As long as there are any."""
    with Board() as board:
        board.waits(("exp_1", "exp_2"))
        board.waits(("exp_2",))
        assert [task.description for task in board._progress.tasks][-1] == "waiting for 1 export"
        board.waits(())
        assert [task.description for task in board._progress.tasks] == ["exports", "files"]


# --- failures


def test_failures_are_listed_with_what_to_do(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """One stops nothing; the code tells that something came and something did not."""
    half, queued, failed = small(empty), small(empty, status="queued"), small(empty, status="failed")
    empty.inject(Status(403, on="storage", artifact="csv", export_id=half.id), times=None)
    (tmp_path / f"{half.id}.json").write_text("mine")
    whole = small(empty)
    ended = cli("sync", tmp_path, "--quiet")
    assert (ended.code, ended.err) == (ExitCode.PARTIAL, "")
    assert counts(ended)["failed"] == "4"
    told = {tuple(line.split()[:2]): line for line in ended.out.splitlines()[4:]}
    assert told.keys() == {(half.id, "csv"), (half.id, "json"), (queued.id, "-"), (failed.id, "-")}
    assert re.search("answered 403 +run it again: it goes on where it ended", told[half.id, "csv"])
    assert "see to what is said" in told[half.id, "json"]
    assert "--wait" in told[queued.id, "-"]
    assert "create the export again" in told[failed.id, "-"]
    assert f"{whole.id}.csv" in files(tmp_path)


def test_when_nothing_came_the_code_is_another(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """And each failure is a line on stderr."""
    export = small(empty, status="failed")
    ended = cli("sync", tmp_path)
    assert ended.code == ExitCode.NOTHING
    assert ended.err.startswith(f"packagex-exports: export {export.id} is failed")


def test_a_tally_takes_no_more_room_the_more_there_is() -> None:
    """Of failures beyond a bound only the number is kept."""
    tally = Tally()
    for number in range(MOST_LISTED + 5):
        error = ExportNotReadyError("no", export_id=f"exp_{number}")
        tally.add(DownloadReport(export_id=f"exp_{number}", error=error))
    assert (tally.failed, len(tally.listed), tally.exit_code) == (MOST_LISTED + 5, MOST_LISTED, 6)
    lost = ChecksumError("no", export_id="exp_1", artifact=Artifact.CSV)
    tally.add(DownloadReport(export_id="exp_1", failures=ByArtifact([lost])))
    tally.add(DownloadReport(export_id="exp_2"))
    assert tally.exit_code == ExitCode.PARTIAL


def test_more_failures_than_are_listed_are_counted(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The table stays short."""
    for _ in range(MOST_LISTED + 3):
        small(empty, status="queued")
    ended = cli("sync", tmp_path, "--quiet")
    assert ended.out.endswith("\nand 3 more\n")
    assert len(ended.out.splitlines()) == 4 + MOST_LISTED + 1


# --- what stops everything


@pytest.mark.parametrize(("status", "code"), [(401, 3), (403, 3), (400, 2), (500, 7), (429, 7)])
def test_what_stops_it_at_once_has_a_code(
    status: int, code: int, empty: Emulator, cli: Cli, tmp_path: Path
) -> None:
    """Nothing was done, so there is no table; one line says why, one how to go on."""
    empty.inject(Status(status, on="api"), times=None)
    ended = cli("sync", tmp_path)
    why, way_on = ended.err.splitlines()
    assert (ended.code, ended.out) == (code, "")
    assert str(status) in why
    assert way_on.endswith(f"0 files of 0 exports are in {tmp_path}, whole, and stay; run it again to go on")


def test_a_full_disk_stops_it(
    empty: Emulator, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there by then is told."""
    small(empty)
    cli("sync", tmp_path)
    small(empty)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(os, "replace", full)
    ended = cli("sync", tmp_path, "--concurrency", "1", "--json")
    assert ended.code == ExitCode.STOPPED
    summary = ended.records[-1]
    assert (summary["ended"], summary["exit_code"], summary["kept"]) == ("stopped", 7, 2)
    assert "No space left" in summary["error"]
    assert "2 files of 1 exports" in ended.err


@pytest.mark.parametrize(
    "options", ["--layout {resource}", "--concurrency 0", "--artifacts xlsx", "--segments 9", "--limit 0"]
)
def test_an_option_that_cannot_work_is_one_line(
    options: str, empty: Emulator, cli: Cli, tmp_path: Path
) -> None:
    """Nothing is asked for, and no folder made."""
    ended = cli("sync", tmp_path / "new", *options.split())
    assert (ended.code, ended.out, len(ended.err.splitlines())) == (ExitCode.USAGE, "", 1)
    assert empty.requests == []
    assert names(tmp_path) == []


# --- JSON


def test_json_is_a_line_for_each_step_each_export_and_the_end(
    empty: Emulator, cli: Cli, tmp_path: Path
) -> None:
    """Errors are text, and on stderr, too."""
    good, bad = small(empty), small(empty, status="failed")
    empty.inject(Status(403, on="storage", artifact="csv"), times=None)
    ended = cli("sync", tmp_path, "--json", "--artifacts", "json,csv,csv_error")
    *steps, summary = ended.records
    reports = {told["export_id"]: told for told in steps if told["event"] == "report"}
    steps = [told for told in steps if told["event"] != "report"]
    assert {(told["event"], told["artifact"]) for told in steps} >= {
        ("started", "json"),
        ("finished", "json"),
        ("failed", "csv"),
    }
    assert steps[0].keys() == {
        "event", "export_id", "artifact", "received", "total", "attempt", "delay", "error",
    }  # fmt: skip
    (failed,) = [told for told in steps if told["event"] == "failed"]
    assert "403" in failed["error"]
    (file,) = reports[good.id].pop("files")
    assert (file["artifact"], file["size"], file["kept"]) == ("json", 6, False)
    assert file["path"] == str(tmp_path / f"{good.id}.json")
    assert reports[good.id] == {
        "event": "report",
        "export_id": good.id,
        "ok": False,
        "missing": ["csv_error"],
        "failures": [{"artifact": "csv", "error": failed["error"]}],
        "error": None,
    }
    assert "is failed" in reports[bad.id]["error"]
    assert summary | {"elapsed": 0} == {
        "event": "summary",
        "ended": "complete",
        "exit_code": 5,
        "directory": str(tmp_path),
        "exports": 2,
        "files": 1,
        "kept": 0,
        "missing": 1,
        "failed": 2,
        "bytes": 6,
        "elapsed": 0,
        "error": None,
    }
    assert len(ended.err.splitlines()) == 2


def test_a_reader_of_json_that_has_read_enough(
    empty: Emulator, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`| head` ends it quietly, and what came meanwhile is whole and known to the next run."""
    export = small(empty)
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", pipe)
        ended = cli("sync", tmp_path, "--json")
    assert ended == (ExitCode.UNREAD, "", "")
    assert files(tmp_path) == [f"{export.id}.csv", f"{export.id}.json"]
    assert cli("sync", tmp_path, "--json").records[-1]["kept"] == 2


# --- on a terminal


def test_a_terminal_sees_what_is_under_way(
    empty: Emulator, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are gone in the end, and the table stands on stdout."""
    small(empty)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    ended = cli("sync", tmp_path)
    assert ended.code == 0
    assert "exports" in terminal.getvalue()
    assert "1/1" in terminal.getvalue()
    assert terminal.getvalue().rstrip().endswith("\x1b[2K")
    assert counts(ended)["files"] == "2"


def event(kind: ProgressKind, number: int, **told: Any) -> ProgressEvent:
    return ProgressEvent(kind=kind, export_id=f"exp_{number}", artifact=Artifact.CSV, **told)


def test_the_board_shows_the_few_that_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others take the rows that become free; bytes count once, whatever was there before and comes again."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("COLUMNS", "120")
    tally = Tally()

    def shown() -> str:
        terminal.seek(0)
        terminal.truncate()
        board._progress.refresh()
        return terminal.getvalue()

    with Board() as board:
        board.expect(40)
        for number in range(MOST_SHOWN + 1):
            board.step(event(ProgressKind.STARTED, number, received=500, total=4000))
        assert f"exp_{MOST_SHOWN - 1} csv" in shown()
        assert f"exp_{MOST_SHOWN} csv" not in shown()
        assert "0 bytes" in shown()
        board.step(event(ProgressKind.ADVANCED, MOST_SHOWN, received=1000, total=4000))
        board.step(event(ProgressKind.RETRYING, 0, received=0, total=4000, delay=2.5))
        assert "again in 2.5 s" in shown()
        board.step(event(ProgressKind.STARTED, 0, total=4000, attempt=2))
        assert "try 2" in shown()
        board.step(event(ProgressKind.FINISHED, 0, received=4000, total=4000))
        board.step(event(ProgressKind.KEPT, 90, received=70, total=70))
        board.step(event(ProgressKind.FAILED, 1, received=500))
        board.step(event(ProgressKind.ADVANCED, MOST_SHOWN, received=2000, total=4000))
        assert "exp_0 csv" not in shown()
        assert "exp_1 csv" not in shown()
        assert f"exp_{MOST_SHOWN} csv" in shown()
        assert "2.0 kB/4.0 kB" in shown()
        error = StorageError("no", export_id="exp_1", artifact=Artifact.CSV)
        report = DownloadReport(export_id="exp_1", failures=ByArtifact([error]))
        tally.add(report)
        board.done(report, tally)
        assert "1/40" in shown()
        assert "0 files, 0 kept, 1 failed" in shown()
        assert "5.5 kB" in shown()


# --- interrupted


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent these signals there")
@pytest.mark.parametrize(
    ("number", "options", "code"),
    [
        (signal.SIGINT, ["--json"], ExitCode.INTERRUPTED),
        (signal.SIGTERM, [], ExitCode.TERMINATED),
        (signal.SIGTERM, ["--json"], ExitCode.TERMINATED),
        (signal.SIGINT, ["--no-resume"], ExitCode.INTERRUPTED),
    ],
)
def test_an_interrupted_sync_ends_in_order_and_the_next_goes_on(
    number: int, options: list[str], code: ExitCode, empty: Emulator, cli: Cli, tmp_path: Path
) -> None:
    """In the middle of a body, when one export is whole: what is there is told, and fetched no more."""
    whole, begun = small(empty), small(empty, created_at=empty.now() + 1)
    empty.inject(stall := Noticed(after=3, artifact="json", export_id=begun.id))
    arguments = ["sync", str(tmp_path), *options, "--artifacts", "csv,json", "--base-url", empty.base_url]
    with subprocess.Popen(
        [*PATIENT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        # A report as JSON, or the lines of its files.
        about = process.stdout if "--json" in options else process.stderr
        read = ""
        while "report" not in read and read.count("verified by") < 2:
            read += about.readline()
        assert stall.begun.wait(30)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    ended = Ended(process.returncode, out, err).without_secrets()
    way_on = f"packagex-exports: 2 files of 1 exports are in {tmp_path}, whole, and stay"
    way_on += "" if "--no-resume" in options else "; run it again to go on"
    assert ended.code == code
    assert ended.err.splitlines()[-2:] == [way_on, f"packagex-exports: {code.name.lower()}"]
    if "--json" in options:
        assert ended.records[-1]["ended"] == "interrupted"
        assert ended.records[-1]["exit_code"] == code
    else:
        assert counts(ended)["files"] == "2"
    assert f"{begun.id}.json" not in files(tmp_path)
    since = len(empty.requests)
    assert cli("sync", tmp_path, "--artifacts", "csv,json").code == 0
    assert not [request for request in empty.requests[since:] if request.export_id == whole.id]
    assert files(tmp_path) == sorted(
        f"{one.id}.{suffix}" for one in (whole, begun) for suffix in ("csv", "json")
    )
    assert (tmp_path / f"{begun.id}.json").read_bytes() == empty.content(begun.id, "json")
