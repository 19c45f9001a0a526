"""The command `download`."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from packagex_async.cli.commands.outcomes import FIELDS
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.testing import Emulator, Status
from tests.cli.support import COMMAND, TIMEOUT, Cli, SignallingStall, Terminal, add_small_export


def test_files_are_complete(server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The table shows the files and their verification. An artifact that is not offered is not a failure."""
    export = add_small_export(server)
    result = cli("download", export.id, "--directory", tmp_path)
    assert (tmp_path / f"{export.id}.json").read_bytes() == server.content(export.id, "json")
    assert (tmp_path / f"{export.id}.csv").read_bytes() == server.content(export.id, "csv")
    assert tuple(result.table[0]) == FIELDS
    assert result.table[0] | {"elapsed": ""} == dict.fromkeys(FIELDS, "") | {
        "export_id": export.id,
        "artifact": "json",
        "outcome": "downloaded",
        "size": "6",
        "count_total": str(export.count_total),
        "verified": "checksum",
        "attempts": "1",
        "path": str(tmp_path / f"{export.id}.json"),
        "resumed": "false",
    }
    assert [row["outcome"] for row in result.table] == ["downloaded"] * 2 + ["not_offered"] * 2
    assert (result.code, result.err) == (0, "")


def test_second_download_keeps_the_files(server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """`--digest` is computed for kept files too."""
    export = add_small_export(server)
    arguments = ("download", export.id, "--directory", tmp_path, "--digest", "sha256")
    first, second = cli(*arguments).table, cli(*arguments).table
    digests = [hashlib.sha256(server.content(export.id, name)).hexdigest() for name in ("json", "csv")]
    assert [row["sha256"] for row in first] == [row["sha256"] for row in second] == [*digests, "", ""]
    assert [row["outcome"] for row in second] == ["kept", "kept", "not_offered", "not_offered"]


def test_rows_are_counted_on_request(server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The table and the JSON show the number of rows next to the number of records of the export."""
    export = add_small_export(server, content={"csv": b"a,b\n1,2\n", "json": b"[1"})
    server.update_export(export.id, count_total=19_181)
    arguments = ("download", export.id, "--directory", tmp_path, "--count-rows", "--artifacts", "csv,json")
    result = cli(*arguments)
    assert [(row["rows"], row["count_total"]) for row in result.table] == [("", "19181"), ("1", "19181")]
    records = cli(*arguments, "--json").records
    assert [(record["rows"], record["count_total"]) for record in records] == [(None, 19_181), (1, 19_181)]


def test_different_file_is_replaced_only_with_overwrite(server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The error message names the option."""
    export = add_small_export(server)
    (tmp_path / f"{export.id}.csv").write_text("mine")
    arguments = ("download", export.id, "--directory", tmp_path, "--artifacts", "csv")
    result = cli(*arguments)
    assert result.code == ExitCode.NOTHING
    assert "overwrite" in result.err
    assert (tmp_path / f"{export.id}.csv").read_text() == "mine"
    assert cli(*arguments, "--overwrite").code == 0
    assert (tmp_path / f"{export.id}.csv").read_bytes() == server.content(export.id, "csv")


def test_unknown_artifact_is_one_usage_error(server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """No request is sent, even for several exports."""
    result = cli("download", "exp_1", "exp_2", "--artifacts", "xlsx", "--directory", tmp_path)
    assert result.code == ExitCode.USAGE
    assert len(result.messages) == 1
    assert server.requests == []


def test_each_export_is_downloaded_once(server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """Repeated ids are ignored."""
    export = add_small_export(server)
    result = cli("download", export.id, export.id, "--directory", tmp_path, "--json", "--artifacts", "json")
    assert [record["artifact"] for record in result.records] == ["json"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a process")
def test_sigint_keeps_partial_files_for_the_next_run(server: Emulator, tmp_path: Path) -> None:
    """The exit code is 130, without a traceback. The next run completes the file."""
    server.inject(stall := SignallingStall(after=3))
    # With several artifacts, one might be complete before the signal.
    arguments = ["download", add_small_export(server).id, "--artifacts", "csv"]
    arguments += ["--directory", str(tmp_path), "--base-url", server.base_url]
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert stall.started.wait(TIMEOUT)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, out, err) == (130, "", "packagex-exports: interrupted\n")
    assert not list(tmp_path.glob("[!.]*"))
    again = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert again.returncode == 0
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("status", [403, 500])
def test_failed_artifact_does_not_stop_the_others(
    status: int, server: Emulator, cli: Cli, tmp_path: Path
) -> None:
    """The other files are complete, and the exit code is 5."""
    server.inject(Status(status, on="storage", artifact="csv"), times=None)
    export = add_small_export(server)
    assert cli("download", export.id, "--directory", tmp_path).code == ExitCode.PARTIAL
    assert [path.name for path in tmp_path.glob("[!.]*")] == [f"{export.id}.json"]


def test_parquet(server: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The table and the JSON show the number of rows."""
    export = add_small_export(server, content={"csv": b"a,b\n1,2\n", "json": b"[]"})
    result = cli("download", export.id, "--directory", tmp_path, "--format", "parquet", "--json")
    assert result.code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{export.id}.json", f"{export.id}.parquet"]
    assert [record["rows"] for record in result.records][:2] == [None, 1]


@pytest.mark.parametrize(
    ("columns", "options", "headings"),
    [
        ("60", [], "export_id artifact outcome"),
        ("80", [], "export_id artifact outcome size path"),
        ("100", ["--count-rows"], "export_id artifact outcome size rows count_total path"),
        ("250", ["--bytes"], "export_id artifact outcome size verified attempts path"),
    ],
)
def test_terminal_shows_one_line_per_artifact(
    columns: str, options: list[str], headings: str, server: Emulator, cli: Cli, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The width determines the columns. The end of a long path is kept."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "dumb")
    export = server.add_export(content={"csv": b"a\n" * 1000})
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    assert cli("download", export.id, "-o", tmp_path / ("long" * 20), *options).code == 0
    heading, *lines = terminal.getvalue().splitlines()
    assert heading.split() == headings.split()
    assert [line.split()[1] for line in lines] == ["csv", "json", "csv_error", "csv_sanitized"]
    assert "not offered" in lines[1]
    assert max(map(len, lines)) <= int(columns)
    if columns != "60":
        assert lines[0].endswith(f"{export.id[-8:]}.csv")
        assert ("2000" if "--bytes" in options else "2.0 KiB") in lines[0]
