"""Standard streams that are closed, or that nobody reads: a command does its work all the same."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from packagex_async.cli import main
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.stdio import open_streams, write_error
from packagex_async.testing import Emulator
from tests.cli.support import COMMAND, Cli, Ended, Terminal, small

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs a shell that can close a stream")


def run(redirections: str, *arguments: str | Path) -> Ended:
    """Run a command with these redirections of a shell."""
    command = f"{shlex.join([*COMMAND, *map(str, arguments)])} {redirections}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    return Ended(ended.returncode, ended.stdout, ended.stderr).without_secrets()


COMMANDS = ("list", "list --json", "get", "download", "sync", "sync --json", "verify", "wait", "create")
CASES = [(command, redirections) for command in COMMANDS for redirections in ("2>&-", "<&- >&- 2>&-")]


@posix
@pytest.mark.parametrize(
    ("command", "redirections"),
    [*CASES, ("list", ">&-"), ("sync", ">&-"), ("sync", "<&-"), ("sync", ">&- 2>&-")],
)
def test_a_command_works_in_silence(
    command: str, redirections: str, empty: Emulator, cli: Cli, tmp_path: Path
) -> None:
    """Its exit code says how it went; nothing of what it would say gets into a file."""
    export = small(empty)
    name, *options = command.split()
    operands: dict[str, list[str | Path]]
    operands = {"get": [export.id], "wait": [export.id], "create": ["contact"], "sync": [tmp_path]}
    operands |= {"download": [export.id, "--directory", tmp_path], "verify": [tmp_path]}
    connection = ["--base-url", empty.base_url]
    if name == "verify":
        connection = []
        assert cli("sync", tmp_path).code == 0
    ended = run(redirections, name, *operands.get(name, []), *options, *connection)
    assert ended.code == 0
    assert bool(ended.out) is (">&-" not in redirections.replace("2>&-", ""))
    if name in ("download", "sync", "verify"):
        for artifact in ("csv", "json"):
            path = tmp_path / f"{export.id}.{artifact}"
            assert path.read_bytes() == empty.content(export.id, artifact)


@posix
@pytest.mark.parametrize("redirections", ["2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("frobnicate", 2),
        ("list --api-key-file none", 2),
        ("get exp_gone", 4),
        ("--version", 0),
        ("--help", 0),
    ],
)
def test_an_exit_code_needs_no_stream(arguments: str, code: int, redirections: str, empty: Emulator) -> None:
    """Of errors, too."""
    connection = ["--base-url", empty.base_url] if arguments.startswith("get") else []
    assert run(redirections, *arguments.split(), *connection).code == code


@posix
@pytest.mark.parametrize("command", ["demo", "emulator"])
def test_what_needs_no_api_works_in_silence_too(command: str, tmp_path: Path) -> None:
    """All streams are closed."""
    options = ["--directory", tmp_path] if command == "demo" else ["--duration", "0"]
    assert run("<&- >&- 2>&-", command, *options) == (0, "", "")


@posix
def test_nobody_reads_stderr(empty: Emulator, tmp_path: Path) -> None:
    """A line that cannot be written is no reason to stop."""
    export = small(empty)
    read, write = os.pipe()
    os.close(read)
    try:
        arguments = ["sync", str(tmp_path), "--base-url", empty.base_url]
        ended = subprocess.run([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=write, check=False)
    finally:
        os.close(write)
    assert ended.returncode == 0
    assert (tmp_path / f"{export.id}.csv").exists()


def test_a_program_without_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has `None` in place of a stream that is closed, and gets it back."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["--version"]) == 0
    assert main(["frobnicate"]) == 2
    assert (sys.stdout, sys.stderr) == (None, None)


def test_a_closed_stream_takes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor does it fail."""
    with open(tmp_path / "closed", "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
    write_error("lost")
    assert (tmp_path / "closed").read_text() == ""


@posix
def test_a_closed_descriptor_is_given_to_no_file() -> None:
    """What is written to it later would get into that file."""
    standard = [os.dup(descriptor) for descriptor in range(3)]
    try:
        os.closerange(0, 3)
        with open_streams():
            descriptor = os.open(os.devnull, os.O_RDONLY)
            os.close(descriptor)
    finally:
        for number, descriptor_before in enumerate(standard):
            os.dup2(descriptor_before, number)
            os.close(descriptor_before)
    assert descriptor > 2


class ClosedTerminal(Terminal):
    """A terminal whose window was closed."""

    def write(self, text: str) -> int:
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("command", ["sync", "sync --json", "download", "wait", "verify"])
def test_a_command_goes_on_when_its_terminal_is_closed(
    command: str, empty: Emulator, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its progress is lost, and nothing else: its results go to a file, say."""
    export = empty.add_export(rows=3)
    name, *options = command.split()
    arguments: dict[str, list[str | Path]] = {
        "sync": [tmp_path], "verify": [tmp_path], "wait": [export.id],
        "download": [export.id, "--directory", tmp_path],
    }  # fmt: skip
    if name == "verify":
        assert cli("sync", tmp_path).code == ExitCode.OK
    monkeypatch.setattr(sys, "stderr", ClosedTerminal())
    ended = cli(name, *arguments[name], *options)
    assert ended.code == ExitCode.OK
    assert ended.out


@pytest.mark.parametrize("arguments", [["--help"], ["sync", "--help"], ["--version"]])
def test_nobody_reads_the_help(arguments: list[str]) -> None:
    """The exit code says so, as it does for every other output."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        ended = subprocess.run([*COMMAND, *arguments], stdout=pipe, stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr) == (ExitCode.UNREAD, b"")
