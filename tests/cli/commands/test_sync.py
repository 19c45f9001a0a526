"""The command `sync`."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async.cli.commands.sync import SyncOptions
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.testing import Emulator, Status
from tests.cli.support import (
    PATIENT_COMMAND,
    TIMEOUT,
    Cli,
    Result,
    SignallingStall,
    add_small_export,
    summary_counts,
)
from tests.support import names


def files(folder: Path) -> list[str]:
    """Return the names of all files except the manifest."""
    return [name for name in names(folder) if name != MANIFEST_NAME]


def test_second_run_keeps_all_files(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The first run prints a line per file; the second one prints the table of totals only."""
    exports = add_small_export(empty), add_small_export(empty)
    folder = tmp_path / "new"
    result = cli("sync", folder)
    downloaded = [f"{export.id}{suffix}" for export in exports for suffix in (".csv", ".json")]
    assert files(folder) == sorted(downloaded)
    assert sorted(result.messages) == sorted(
        f"packagex-exports: {folder / name}: {8 if 'csv' in name else 6} B, verified by checksum"
        for name in downloaded
    )
    counts = {"exports": "2", "files": "4", "bytes": "28 B", "kept": "0", "not offered": "4", "failed": "0"}
    counts["failed exports"] = "0"
    assert (result.code, summary_counts(result)) == (0, counts)
    again = cli("sync", folder)
    assert (again.code, again.err) == (0, "")
    assert summary_counts(again) == counts | {"files": "0", "bytes": "0 B", "kept": "4"}


def test_no_exports_is_not_a_failure(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The table of totals contains zeros."""
    result = cli("sync", tmp_path)
    assert (result.code, result.err, summary_counts(result)["exports"]) == (0, "", "0")


def test_every_option_is_used(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """Filters reach the API under its names. `--overwrite` replaces a different file."""
    export = add_small_export(empty, resource="shipment")
    target = tmp_path / "shipment" / f"{export.id}.csv"
    target.parent.mkdir()
    target.write_text("mine")
    options = "--order-by count_total --direction desc --resource shipment --search ship --limit 7 --wait"
    options += " --statuses completed --statuses queued,failed --artifacts csv,csv_error --concurrency 2"
    options += " --verify --no-resume --overwrite --fsync --require-verification --max-size 9 --segments 1"
    result = cli("sync", tmp_path, "--layout", "{resource}/{id}", *options.split())
    assert (result.code, summary_counts(result)["files"]) == (0, "1")
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
    result = cli("sync", tmp_path, "--no-resume", "--max-size", "7", "--artifacts", "csv")
    assert result.code == 6
    assert "it has 8 bytes or more, which is above --max-size 7" in result.out
    assert result.out.endswith("\tuse a larger --max-size, or leave the option out\n")
    assert "hint: use a larger --max-size" in result.err


def test_wait_timeout_implies_wait() -> None:
    """`--fsync` and `--no-resume` are translated to arguments of `download_all`."""
    arguments = SyncOptions(wait_timeout=5.0, fsync=True, no_resume=True).as_arguments()
    assert (arguments["wait"], arguments["durability"], arguments["resume"]) == (5.0, "fsync", False)
    assert not {"wait_timeout", "fsync", "no_resume"} & arguments.keys()
    arguments = SyncOptions(wait=True, artifacts=["csv,json"]).as_arguments()
    assert (arguments["wait"], arguments["durability"], arguments["resume"]) == (True, None, True)
    assert arguments["artifacts"] == ["csv", "json"]


# Exports in progress.


@pytest.mark.parametrize("any_completed", [True, False])
def test_late_exports_have_their_own_exit_code(
    empty: Emulator, cli: Cli, tmp_path: Path, any_completed: bool
) -> None:
    """A line shows their number. After the timeout, each is listed with advice."""
    late = [add_small_export(empty, status="processing"), add_small_export(empty, status="queued")]
    if any_completed:
        add_small_export(empty)
    result = cli("sync", tmp_path, "--wait-timeout", "0.05")
    assert result.code == ExitCode.NOT_READY
    assert "packagex-exports: waiting for 2 exports\n" in result.err
    assert summary_counts(result)["failed"] == "2"
    for export in late:
        (line,) = [line for line in result.out.splitlines() if line.startswith(export.id)]
        assert "after 0.05 seconds" in line
        assert "with a longer --wait-timeout" in line


def test_other_failures_determine_the_exit_code(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """Exit code 10 means that nothing but late exports failed."""
    arguments = ["sync", tmp_path, "--wait-timeout", "0.05"]
    add_small_export(empty, status="processing")
    add_small_export(empty, status="failed")
    assert cli(*arguments).code == ExitCode.FAILED
    assert cli(*arguments, "--ignore-failed-exports").code == ExitCode.NOT_READY
    broken = add_small_export(empty)
    empty.inject(Status(403, on="storage", export_id=broken.id), times=None)
    assert cli(*arguments).code == ExitCode.NOTHING
    add_small_export(empty)
    assert cli(*arguments).code == ExitCode.PARTIAL


@pytest.mark.parametrize("status", ["failed", "timed_out"])
@pytest.mark.parametrize("any_completed", [True, False])
def test_exports_that_failed_on_the_platform(
    status: str, any_completed: bool, empty: Emulator, cli: Cli, tmp_path: Path
) -> None:
    """They have their own exit code, and can be ignored."""
    add_small_export(empty, status=status)
    if any_completed:
        add_small_export(empty)
    assert cli("sync", tmp_path).code == ExitCode.FAILED
    result = cli("sync", tmp_path, "--ignore-failed-exports", "--json")
    summary = result.records[-1]
    assert (result.code, summary["exit_code"]) == (0, 0)
    assert (summary["failed"], summary["failed_exports"]) == (0, 1)


# Failures.


def test_failures_are_listed_with_advice(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """One failure does not stop the other downloads. The exit code is 5."""
    partial = add_small_export(empty)
    queued, failed = add_small_export(empty, status="queued"), add_small_export(empty, status="failed")
    empty.inject(Status(403, on="storage", artifact="csv", export_id=partial.id), times=None)
    (tmp_path / f"{partial.id}.json").write_text("mine")
    complete = add_small_export(empty)
    result = cli("sync", tmp_path, "--quiet")
    assert (result.code, result.err) == (ExitCode.PARTIAL, "")
    counts = summary_counts(result)
    assert (counts["failed"], counts["failed exports"]) == ("3", "1")
    rows = {tuple(line.split("\t")[:2]): line for line in result.out.splitlines()[4:]}
    assert rows.keys() >= {(partial.id, "csv"), (partial.id, "json"), (queued.id, ""), (failed.id, "")}
    assert rows[partial.id, "csv"].endswith("run again to resume")
    assert "answered 403\t" in rows[partial.id, "csv"]
    assert "solve the problem with the file" in rows[partial.id, "json"]
    assert "--wait" in rows[queued.id, ""]
    assert "create the export again" in rows[failed.id, ""]
    assert f"{complete.id}.csv" in files(tmp_path)


def test_exit_code_if_everything_failed(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """Each failure is a line on stderr."""
    export = add_small_export(empty)
    empty.inject(Status(403, on="storage"), times=None)
    result = cli("sync", tmp_path)
    assert result.code == ExitCode.NOTHING
    assert result.err.startswith(f"packagex-exports: export {export.id}, artifact ")


@pytest.mark.parametrize(("status", "code"), [(401, 3), (403, 3), (400, 2), (500, 7), (429, 7)])
def test_api_error_stops_the_run(status: int, code: int, empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """There is no table. One line contains the error, and one line the next step."""
    empty.inject(Status(status, on="api"), times=None)
    result = cli("sync", tmp_path)
    error, next_step = result.messages
    assert (result.code, result.out) == (code, "")
    assert str(status) in error
    assert next_step.endswith(f"0 files are complete in {tmp_path}, 0 exports finished. Run again to resume.")


def test_full_disk_stops_the_run(
    empty: Emulator, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The summary contains the error and the files that are complete."""
    add_small_export(empty)
    cli("sync", tmp_path)
    add_small_export(empty)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(os, "replace", full)
    result = cli("sync", tmp_path, "--concurrency", "1", "--json")
    assert result.code == ExitCode.STOPPED
    summary = result.records[-1]
    assert (summary["ended"], summary["exit_code"], summary["kept"]) == ("stopped", 7, 2)
    assert "No space left" in summary["error"]
    assert f"2 files are complete in {tmp_path}, 1 export finished." in result.err


@pytest.mark.parametrize(
    "options",
    [
        "--layout {resource}",
        "--concurrency 0",
        "--artifacts xlsx",
        "--segments 17",
        "--limit 0",
        "--wait-timeout inf",
    ],
)
def test_invalid_option_is_one_line(options: str, empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """No request is sent, and no directory is created."""
    result = cli("sync", tmp_path / "new", *options.split())
    assert (result.code, result.out, len(result.messages)) == (ExitCode.USAGE, "", 1)
    assert empty.requests == []
    assert names(tmp_path) == []


def test_broken_pipe_keeps_the_files(
    empty: Emulator, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 141. The next run finds the complete files in the manifest."""
    export = add_small_export(empty)
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", pipe)
        result = cli("sync", tmp_path, "--json")
    assert result == (ExitCode.BROKEN_PIPE, "", "")
    assert files(tmp_path) == [f"{export.id}.csv", f"{export.id}.json"]
    assert cli("sync", tmp_path, "--json").records[-1]["kept"] == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not send these signals to a process")
@pytest.mark.parametrize(
    ("number", "options", "code"),
    [
        (signal.SIGINT, ["--json"], ExitCode.INTERRUPTED),
        (signal.SIGTERM, [], ExitCode.TERMINATED),
        (signal.SIGTERM, ["--json"], ExitCode.TERMINATED),
        (signal.SIGINT, ["--no-resume"], ExitCode.INTERRUPTED),
    ],
)
def test_interrupted_run_is_resumed_by_the_next(
    number: int, options: list[str], code: ExitCode, empty: Emulator, cli: Cli, tmp_path: Path
) -> None:
    """The summary counts the complete files. The next run does not request them again."""
    complete = add_small_export(empty)
    stalled = add_small_export(empty, created_at=empty.now() + 1)
    empty.inject(stall := SignallingStall(after=3, export_id=stalled.id), times=2)
    arguments = ["sync", str(tmp_path), *options, "--artifacts", "csv,json", "--base-url", empty.base_url]
    with subprocess.Popen(
        [*PATIENT_COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        # Wait for a JSON report, or for the lines of both files.
        stream = process.stdout if "--json" in options else process.stderr
        read = ""
        while "report" not in read and read.count("verified by") < 2:
            read += stream.readline()
        assert stall.started.wait(TIMEOUT)
        process.send_signal(number)
        out, err = process.communicate(timeout=TIMEOUT)
    result = Result(process.returncode, out, err).check_secrets()
    next_step = f"packagex-exports: 2 files are complete in {tmp_path}, 1 export finished."
    next_step += "" if "--no-resume" in options else " Run again to resume."
    assert result.code == code
    assert result.messages[-2:] == [next_step, f"packagex-exports: {code.name.lower()}"]
    if "--json" in options:
        assert result.records[-1]["ended"] == "interrupted"
        assert result.records[-1]["exit_code"] == code
    else:
        assert summary_counts(result)["files"] == "2"
    assert not {f"{stalled.id}.csv", f"{stalled.id}.json"} & set(files(tmp_path))
    since = len(empty.requests)
    assert cli("sync", tmp_path, "--artifacts", "csv,json").code == 0
    assert not [request for request in empty.requests[since:] if request.export_id == complete.id]
    assert files(tmp_path) == sorted(
        f"{export.id}.{suffix}" for export in (complete, stalled) for suffix in ("csv", "json")
    )
    assert (tmp_path / f"{stalled.id}.json").read_bytes() == empty.content(stalled.id, "json")
