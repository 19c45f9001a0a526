"""Commands for finished exports."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from packagex_async import Artifact, BucketFile, DownloadedFile, DownloadReport, ExportGoneError
from packagex_async.cli.follow import completion_commands
from packagex_async.cli.follow.completion_commands import CompletionCommands, environment
from packagex_async.report import ByArtifact

REPORT = DownloadReport(export_id="exp_1")


def python(code: str) -> CompletionCommands:
    return CompletionCommands([sys.executable, "-c", code])


async def exists(path: Path) -> None:
    """Wait until a file exists."""
    while not path.exists():
        await asyncio.sleep(0)


async def test_failed_report_runs_nothing(tmp_path: Path) -> None:
    """Only exports without failures have their command."""
    done = tmp_path / "exp_2"
    code = f"import os, pathlib; pathlib.Path({str(tmp_path)!r}, os.environ['PACKAGEX_EXPORT_ID']).touch()"
    async with python(code) as commands:
        commands.add(DownloadReport(export_id="exp_1", error=ExportGoneError("deleted", export_id="exp_1")))
        commands.add(DownloadReport(export_id="exp_2"))
        await exists(done)
    assert list(tmp_path.iterdir()) == [done]


async def test_command_that_does_not_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is reported, and runs again after a poll."""
    program = tmp_path / "program"
    done = tmp_path / "done"
    async with CompletionCommands([str(program)]) as commands:
        commands.add(REPORT)
        while "did not start" not in capsys.readouterr().err:
            await asyncio.sleep(0)
        program.write_text(f"#!/bin/sh\ntouch '{done}'\n")
        program.chmod(0o755)
        commands.on_poll()
        await exists(done)


@pytest.mark.parametrize("ignores_sigterm", [False, True])
async def test_running_command_is_ended(
    tmp_path: Path, ignores_sigterm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that ignores SIGTERM is killed."""
    monkeypatch.setattr(completion_commands, "_EXIT_SECONDS", 0.05 if ignores_sigterm else 30)
    handler = "SIG_IGN" if ignores_sigterm else "SIG_DFL"
    pid_file = tmp_path / "pid"
    code = (
        f"import os, signal; signal.signal(signal.SIGTERM, signal.{handler})\n"
        f"open({str(tmp_path / 'new')!r}, 'w').write(str(os.getpid()))\n"
        f"os.rename({str(tmp_path / 'new')!r}, {str(pid_file)!r})\n"
        "signal.alarm(60); signal.pause()"
    )
    async with python(code) as commands:
        commands.add(REPORT)
        await exists(pid_file)
    assert not Path(f"/proc/{pid_file.read_text()}").exists()


async def test_child_processes_are_ended(tmp_path: Path) -> None:
    """A shell script does not pass SIGTERM to the programs that it runs."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # The pipe is closed when the last process that has it open has ended.
    script = f"exec 3> '{pipe}'; echo started >&3; sleep 60; exit"
    async with CompletionCommands(["sh", "-c", script]) as commands:
        commands.add(REPORT)
        file = await asyncio.to_thread(open, pipe)
        assert await asyncio.to_thread(file.readline) == "started\n"
    with file:
        assert await asyncio.to_thread(file.read) == ""


def file(artifact: Artifact, *, kept: bool = False) -> DownloadedFile:
    return DownloadedFile(
        artifact=artifact, path=Path("exports", f"exp_1.{artifact}"), size=3, verified="length", kept=kept
    )


async def test_exports_with_new_files_come_first(tmp_path: Path) -> None:
    """After a restart there are commands for many exports without new files."""
    log = tmp_path / "log"
    async with CompletionCommands(["sh", "-c", f"echo $PACKAGEX_EXPORT_ID >> '{log}'"]) as commands:
        for export_id, kept in (("exp_1", True), ("exp_2", True), ("exp_3", False), ("exp_4", False)):
            files = ByArtifact([file(Artifact.CSV, kept=kept)])
            commands.add(DownloadReport(export_id=export_id, files=files))
        await exists(log)
        while len(log.read_text().split()) < 4:
            await asyncio.sleep(0)
    assert log.read_text().split() == ["exp_3", "exp_4", "exp_1", "exp_2"]


def test_environment_of_a_bucket() -> None:
    """The paths are URLs without a signature."""
    stored = BucketFile(
        artifact=Artifact.CSV,
        key="in/exp_1.csv",
        url="s3://data/in/exp_1.csv",
        size=3,
        verified="length",
        sha256="00",
        attempts=1,
    )
    report = DownloadReport(export_id="exp_1", files=ByArtifact([stored]))
    variables = environment(report)  # type: ignore[arg-type]
    assert variables["PACKAGEX_PATHS"] == variables["PACKAGEX_CSV_PATH"] == "s3://data/in/exp_1.csv"


def test_environment() -> None:
    """Each file has a variable, and all paths are in one."""
    files = [
        file(artifact, kept=artifact is Artifact.JSON) for artifact in (Artifact.JSON, Artifact.CSV_ERROR)
    ]
    json_path, csv_path = (str(file.path) for file in files)
    assert environment(DownloadReport(export_id="exp_1", files=ByArtifact(files))) == {
        "PACKAGEX_EXPORT_ID": "exp_1",
        "PACKAGEX_RESOURCE": "",
        "PACKAGEX_PATHS": f"{json_path}\n{csv_path}",
        "PACKAGEX_JSON_PATH": json_path,
        "PACKAGEX_CSV_ERROR_PATH": csv_path,
        "PACKAGEX_DOWNLOADED": "1",
    }
