"""The application: usage errors, help and version."""

from __future__ import annotations

import re

import pytest

from packagex_async import __version__
from packagex_async.cli import main
from packagex_async.cli.exit_codes import HELP, ExitCode

COMMANDS = ["list", "get", "download", "sync", "create", "wait", "verify", "demo", "emulator"]


@pytest.mark.parametrize(
    "arguments",
    [
        "frobnicate",
        "list --api-key px_secret",
        "list --api-key=px_secret",
        "list --page one",
        "list --order-by size",
        "list --environment moon",
        "list --attempts 0",
        "list --request-timeout 0",
        "list --limit 0",
        "download",
        "get",
    ],
)
def test_usage_error_is_one_line(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 2. A key that is passed as an argument is rejected, and not printed."""
    assert main(arguments.split()) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "px_secret" not in err


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_commands_and_exit_codes(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Without arguments, the help is printed too."""
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert HELP in text
    assert [name for name in COMMANDS if not re.search(rf"^│ {name} +[A-Z]", text, re.MULTILINE)] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It shows the usage and the connection options."""
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"Usage: packagex-exports {command}" in text
    assert "--base-url" in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the version only."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"
