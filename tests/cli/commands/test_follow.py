"""`sync --follow` downloads until it is ended."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.signals import sigterm_handler
from packagex_async.testing import Emulator, Status
from tests.cli.support import TIMEOUT, Cli, add_small_export
from tests.cli.test_json_schema import check
from tests.cli.test_signals import CLEAN_EXIT, Process, read_until, started, terminate

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to" / "run-as-a-service.md"


def read_event(process: Process, event: str) -> dict[str, Any]:
    """Read JSON lines until one has this event."""
    assert process.stdout is not None
    for line in process.stdout:
        record: dict[str, Any] = json.loads(line)
        if record["event"] == event:
            return record
    raise AssertionError(f"the command ended without {event}")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not send SIGTERM to a process")
def test_follow_ends_with_sigterm(empty: Emulator, tmp_path: Path) -> None:
    """It downloads exports that appear later. The last record is the summary."""
    with started(
        "sync", tmp_path, "--follow", "--interval", "0.05", "--json", "--base-url", empty.base_url
    ) as process:
        polled = read_event(process, "polled")
        assert check(polled, "sync") == "polled"
        export = add_small_export(empty)
        assert read_event(process, "report")["export_id"] == export.id
        failed = add_small_export(empty, status="failed")
        assert read_event(process, "report")["export_id"] == failed.id
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, err.splitlines()[-1]) == CLEAN_EXIT
    summary = json.loads(out.splitlines()[-1])
    assert (summary["event"], summary["ended"], summary["exit_code"]) == ("summary", "interrupted", 143)
    assert (summary["files"], summary["failed_exports"]) == (2, 1)
    assert (tmp_path / f"{export.id}.csv").read_bytes() == b"a,b\n1,2\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not send SIGTERM to a process")
def test_command_runs_for_each_export(empty: Emulator, tmp_path: Path) -> None:
    """A failed command is reported, and runs again after the next poll."""
    (tmp_path / "script.py").write_text(
        "import os, pathlib, sys\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "print('from the command')\n"
        "with open(folder / 'log', 'a') as log:\n"
        "    print(os.environ['PACKAGEX_EXPORT_ID'], os.environ['PACKAGEX_CSV_PATH'], file=log)\n"
        "sys.exit(not (folder / 'ok').exists())\n"
    )
    export = add_small_export(empty)
    command = f"'{sys.executable}' '{tmp_path / 'script.py'}' '{tmp_path}'"
    files = tmp_path / "files"
    with started(
        "sync",
        files,
        "--follow",
        "--interval",
        "0.05",
        "--on-complete",
        command,
        "--base-url",
        empty.base_url,
    ) as process:
        assert process.stderr is not None
        failed = next(line for line in process.stderr if "--on-complete" in line)
        (tmp_path / "ok").touch()
        assert f"export {export.id}: the command of --on-complete ended with exit code 1" in failed
        lines = (tmp_path / "log").read_text().splitlines()
        while len(set(lines)) == len(lines):
            process.stderr.readline()
            lines = (tmp_path / "log").read_text().splitlines()
        assert terminate(process) == CLEAN_EXIT
    assert set(lines) == {f"{export.id} {files / export.id}.csv"}


def test_rejected_key_ends_it(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The summary has the error. Without JSON, each poll before has a line on stderr."""
    add_small_export(empty)
    empty.after_list = lambda _: empty.inject(Status(401, on="api")) if len(empty.requests) > 6 else None
    result = cli("sync", tmp_path, "--follow", "--interval", "0.001")
    assert result.code == 3
    assert (
        "packagex-exports: polled: 1 new export, 0 tried again, 0 in progress, 0 failing" in result.messages
    )
    assert len(list(tmp_path.glob("exp_*"))) == 2


def test_totals_after_a_repeated_download(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The export counts once, and its failure is printed once."""
    export = add_small_export(empty)
    empty.inject(Status(500, on="storage", artifact="csv"), times=3)

    def end_after_download(_: object) -> None:
        if (tmp_path / f"{export.id}.csv").exists():
            empty.inject(Status(401, on="api"))

    empty.after_list = end_after_download
    result = cli("sync", tmp_path, "--follow", "--interval", "0.001", "--json")
    reports = [record for record in result.records if record["event"] == "report"]
    summary = result.records[-1]
    assert [len(report["failures"]) for report in reports] == [1, 1, 1, 0]
    assert (summary["exports"], summary["files"], summary["kept"], summary["failed"]) == (1, 2, 0, 0)
    assert sum(export.id in message for message in result.messages) == 1
    assert max(record["failing"] for record in result.records if record["event"] == "polled") == 1


def test_broken_pipe_ends_it(
    empty: Emulator, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next poll notices it, because there may be no report for a long time."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", pipe)
        result = cli("sync", tmp_path, "--follow", "--interval", "3600", "--json")
    assert result == (ExitCode.BROKEN_PIPE, "", "")


def test_summary_before_the_end_of_the_grace_period(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The process prints it before it exits without its cleanup."""

    def end(_: int) -> None:
        sigterm_handler._before_exit()

    empty.after_list = end
    add_small_export(empty)
    printed, *_, last = cli("sync", tmp_path, "--json").records
    assert (printed["event"], printed["ended"], printed["exit_code"]) == ("summary", "interrupted", 143)
    assert last["ended"] == "complete"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not send SIGTERM to a process")
@pytest.mark.parametrize(
    "pattern", [r"^ExecStart=\S+ (.*)$", r"args: \[(.*)\]$"], ids=["systemd", "kubernetes"]
)
def test_commands_of_the_how_to(pattern: str, empty: Emulator, tmp_path: Path) -> None:
    """The service downloads, has a heartbeat in its log, and ends at SIGTERM."""
    match = re.search(pattern, HOW_TO.read_text(encoding="utf-8"), re.MULTILINE)
    assert match is not None
    (tmp_path / "api-key").write_text(empty.api_key)
    export, files = add_small_export(empty), str(tmp_path / "files")
    replaced = {"/var/lib/packagex/exports": files, "/exports": files, "%d/api-key": f"{tmp_path}/api-key"}
    arguments = [replaced.get(text, text) for text in shlex.split(match[1].replace(", ", " "))]
    with started(*arguments, "--base-url", empty.base_url) as process:
        lines = process.stdout if "--json" in arguments else process.stderr
        read_until(lines, "polled")
        while not (tmp_path / "files" / f"{export.id}.csv").exists():
            assert process.poll() is None
        assert terminate(process) == CLEAN_EXIT


def test_unit_of_the_how_to(tmp_path: Path) -> None:
    """systemd accepts it."""
    program = shutil.which("systemd-analyze") or pytest.skip("systemd is not installed")
    match = re.search(r"^```ini\n(.*?)^```$", HOW_TO.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert match is not None
    unit = tmp_path / "packagex-exports.service"
    unit.write_text(match[1].replace("/opt/packagex/bin/packagex-exports", sys.executable))
    done = subprocess.run([program, "verify", unit], capture_output=True, text=True)
    assert str(unit) not in done.stderr + done.stdout
    assert unit.name not in done.stderr + done.stdout
    assert done.returncode == 0


def test_deployment_of_the_how_to() -> None:
    """It is one YAML document, whose labels and volumes fit together."""
    yaml = pytest.importorskip("yaml")
    match = re.search(r"^```yaml\n(.*?)^```$", HOW_TO.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert match is not None
    spec = yaml.safe_load(match[1])["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    assert [mount["name"] for mount in container["volumeMounts"]] == [each["name"] for each in pod["volumes"]]
    assert all(isinstance(argument, str) for argument in container["args"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--interval", "0"], "Must be > 0"),
        (["--interval", "-1"], "Must be > 0"),
        (["--interval", "nan"], "--interval"),
        (["--interval", "inf"], "--interval"),
        (["--interval", "soon"], "--interval"),
        (["--order-by", "created_at"], "--order-by cannot be used with --follow"),
        (["--prune-after", "3d"], "--prune-after cannot be used with --follow"),
        (["--dry-run"], "--dry-run cannot be used with --follow"),
        (["--statuses", "queued"], "--statuses must contain completed"),
        (["--on-complete", "'"], "--on-complete is not a command"),
        (["--on-complete", ""], "--on-complete must start with the name of a program"),
        (["--on-complete", "no-such-program-7 x"], "--on-complete must start with the name of a program"),
    ],
)
def test_invalid_options(cli: Cli, tmp_path: Path, arguments: list[str], message: str) -> None:
    """Nothing is requested, and the exit code is 2."""
    result = cli("sync", tmp_path / "files", "--follow", *arguments)
    assert result.code == 2
    assert message in result.err
    assert not (tmp_path / "files").exists()


def test_command_needs_follow(cli: Cli, tmp_path: Path) -> None:
    """Without `--follow` a command is an error."""
    result = cli("sync", tmp_path, "--on-complete", "true")
    assert (result.code, result.messages) == (2, ["packagex-exports: --on-complete needs --follow"])
