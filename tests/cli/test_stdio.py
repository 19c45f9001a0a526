"""Closed and broken standard streams. Commands do their work anyway."""

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
from packagex_async.cli.stdio import ensure_standard_streams, write_error
from packagex_async.testing import Emulator
from tests.cli.support import COMMAND, Cli, Result, Terminal, add_small_export

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs a shell that can close a stream")


def run(redirections: str, *arguments: str | Path) -> Result:
    """Run a command with these redirections of the shell."""
    command = f"{shlex.join([*COMMAND, *map(str, arguments)])} {redirections}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    return Result(done.returncode, done.stdout, done.stderr).check_secrets()


COMMANDS = ("list", "list --json", "get", "download", "sync", "sync --json", "verify", "wait", "create")
CASES = [
    *((command, "<&- >&- 2>&-") for command in COMMANDS),
    *((command, "2>&-") for command in ("list", "sync", "sync --json", "verify", "create")),
]


@posix
@pytest.mark.parametrize(
    ("command", "redirections"),
    [*CASES, ("list", ">&-"), ("sync", ">&-"), ("sync", "<&-"), ("sync", ">&- 2>&-")],
)
def test_command_works_with_closed_streams(
    command: str, redirections: str, empty: Emulator, cli: Cli, tmp_path: Path
) -> None:
    """The exit code is correct, and no file contains output."""
    export = add_small_export(empty)
    name, *options = command.split()
    operands: dict[str, list[str | Path]]
    operands = {"get": [export.id], "wait": [export.id], "create": ["contact"], "sync": [tmp_path]}
    operands |= {"download": [export.id, "--directory", tmp_path], "verify": [tmp_path]}
    connection = ["--base-url", empty.base_url]
    if name == "verify":
        connection = []
        assert cli("sync", tmp_path).code == 0
    result = run(redirections, name, *operands.get(name, []), *options, *connection)
    assert result.code == 0
    assert bool(result.out) is (">&-" not in redirections.replace("2>&-", ""))
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
def test_exit_code_with_closed_streams(arguments: str, code: int, redirections: str, empty: Emulator) -> None:
    """Errors keep their exit codes."""
    connection = ["--base-url", empty.base_url] if arguments.startswith("get") else []
    assert run(redirections, *arguments.split(), *connection).code == code


@posix
@pytest.mark.parametrize("command", ["demo", "emulator"])
def test_local_command_works_with_closed_streams(command: str, tmp_path: Path) -> None:
    """All three streams are closed."""
    options = ["--directory", tmp_path] if command == "demo" else ["--duration", "0"]
    assert run("<&- >&- 2>&-", command, *options) == (0, "", "")


@posix
def test_broken_stderr_does_not_stop_a_command(empty: Emulator, tmp_path: Path) -> None:
    """Lines that cannot be written are discarded."""
    export = add_small_export(empty)
    read, write = os.pipe()
    os.close(read)
    try:
        arguments = ["sync", str(tmp_path), "--base-url", empty.base_url]
        done = subprocess.run([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=write, check=False)
    finally:
        os.close(write)
    assert done.returncode == 0
    assert (tmp_path / f"{export.id}.csv").exists()


def test_streams_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python sets a closed stream to `None`. It is restored after the command."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["--version"]) == 0
    assert main(["frobnicate"]) == 2
    assert (sys.stdout, sys.stderr) == (None, None)


def test_write_error_to_a_closed_stream(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It writes nothing and does not fail."""
    with open(tmp_path / "closed", "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
    write_error("lost")
    assert (tmp_path / "closed").read_text() == ""


@posix
def test_closed_descriptor_is_not_reused_for_a_file() -> None:
    """Otherwise that file would receive the output of the stream."""
    saved = [os.dup(descriptor) for descriptor in range(3)]
    try:
        os.closerange(0, 3)
        with ensure_standard_streams():
            descriptor = os.open(os.devnull, os.O_RDONLY)
            os.close(descriptor)
    finally:
        for number, copy in enumerate(saved):
            os.dup2(copy, number)
            os.close(copy)
    assert descriptor > 2


ON_FULL_DEVICE = (
    "list", "list --json", "get EXPORT", "get EXPORT --json", "download EXPORT", "download EXPORT --json",
    "download EXPORT --dry-run", "cat EXPORT", "cat EXPORT --rows", "sync copy", "sync copy --json",
    "sync copy --dry-run", "verify copy", "verify copy --json", "wait EXPORT", "wait EXPORT --json",
    "create contact", "create contact --json", "emulator --duration 0", "emulator --duration 0 --json",
    "completion bash", "man", "--help", "sync --help", "--version",
    "--install-completion bash --output script",
)  # fmt: skip


@posix
@pytest.mark.parametrize("command", ON_FULL_DEVICE)
def test_full_device(
    command: str,
    empty: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Output that cannot be written is an error. The message names stdout, except for help and version."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PX_BASE_URL", empty.base_url)
    export = add_small_export(empty)
    if command.startswith("verify"):
        assert main(["sync", "copy"]) == ExitCode.OK
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(command.replace("EXPORT", export.id).split()) == ExitCode.ERROR
    *lines, message, hint = capsys.readouterr().err.splitlines()
    label = "" if command.endswith(("--help", "--version")) else "stdout: "
    assert (message, hint) == (
        f"packagex-exports: {label}No space left on device",
        "hint: free disk space, then run the command again",
    )
    if command.startswith("create"):
        assert lines == [f"packagex-exports: export {empty.created[0]} is created"]


@posix
@pytest.mark.parametrize("command", ["completion zsh", "man"])
def test_closed_stdout_of_a_command_that_prints_data(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing else is its result, so it is an error."""
    monkeypatch.setattr(sys, "stdout", None)
    assert main(command.split()) == ExitCode.ERROR
    assert capsys.readouterr().err.startswith("packagex-exports: stdout: it is closed\n")


class ClosedTerminal(Terminal):
    """A terminal whose window was closed."""

    def write(self, text: str) -> int:
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("command", ["sync", "sync --json", "download", "wait", "verify"])
def test_a_command_continues_when_its_terminal_is_closed(
    command: str, empty: Emulator, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its progress is lost, but the results still go to stdout."""
    export = empty.add_export(rows=3)
    name, *options = command.split()
    arguments: dict[str, list[str | Path]] = {
        "sync": [tmp_path], "verify": [tmp_path], "wait": [export.id],
        "download": [export.id, "--directory", tmp_path],
    }  # fmt: skip
    if name == "verify":
        assert cli("sync", tmp_path).code == ExitCode.OK
    monkeypatch.setattr(sys, "stderr", ClosedTerminal())
    result = cli(name, *arguments[name], *options)
    assert result.code == ExitCode.OK
    assert result.out


@pytest.mark.parametrize("arguments", [["--help"], ["sync", "--help"], ["--version"]])
def test_help_without_a_reader(arguments: list[str]) -> None:
    """The exit code is the same as for any other output."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        result = subprocess.run([*COMMAND, *arguments], stdout=pipe, stderr=subprocess.PIPE, check=False)
    assert (result.returncode, result.stderr) == (ExitCode.BROKEN_PIPE, b"")


@posix
@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            40,
            [
                "packagex-exports: the first part, and",
                "the-second-part-of-a-very-long-message-without-spaces",
            ],
        ),
        (
            200,
            ["packagex-exports: the first part, and the-second-part-of-a-very-long-message-without-spaces"],
        ),
        # Some terminals have no width.
        (0, ["packagex-exports: the first part, and the-second-part-of-a-very-long-message-without-spaces"]),
    ],
)
def test_long_message_breaks_between_words(
    columns: int, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A word is never broken, so that it can be copied."""
    from tests.cli.pty_support import set_width

    reader, writer = os.openpty()
    set_width(writer, columns)
    with os.fdopen(writer, "w", encoding="utf-8") as terminal, os.fdopen(reader, "rb"):
        monkeypatch.setattr(sys, "stderr", terminal)
        write_error(
            "packagex-exports: the first part, and the-second-part-of-a-very-long-message-without-spaces"
        )
        assert os.read(reader, 1000).decode().splitlines() == expected


@pytest.mark.parametrize("columns", ["20", "many"])
def test_message_without_terminal_is_one_line(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The variable COLUMNS does not change it."""
    monkeypatch.setenv("COLUMNS", columns)
    write_error("a message of more than twenty characters")
    assert capsys.readouterr().err == "a message of more than twenty characters\n"
