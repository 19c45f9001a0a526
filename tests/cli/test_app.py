"""The application: usage errors, help and version."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from packagex_async import __version__
from packagex_async.cli import main
from packagex_async.cli.app import EXAMPLES, SUMMARIES, app
from packagex_async.cli.exit_codes import HELP, ExitCode

COMMANDS = ["list", "get", "download", "sync", "create", "wait", "verify", "demo", "emulator"]
OFFLINE = ["verify", "demo", "emulator"]
CONNECTION_OPTIONS = [
    "--api-key-file",
    "--environment",
    "--base-url",
    "--proxy",
    "--ca-file",
    "--request-timeout",
    "--stall-timeout",
    "--attempts",
    "--profile",
]


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
def test_usage_error_has_a_hint(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 2. A key that is passed as an argument is rejected, and not printed."""
    assert main(arguments.split()) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    message, hint = err.splitlines()
    assert message.startswith("packagex-exports: ")
    assert re.fullmatch(r"hint: run .* to see its (options|commands)", hint)
    assert "px_secret" not in err


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_commands_and_exit_codes(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without arguments, the help is printed too."""
    monkeypatch.setenv("COLUMNS", "100")
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert HELP in text
    assert [name for name in COMMANDS if not re.search(rf"^│ {name} +[A-Z]", text, re.MULTILINE)] == []


def test_summaries_are_those_of_the_commands() -> None:
    """The list of commands has the first line of the help of each command."""
    names = [*EXAMPLES, "--install-completion"]
    assert {name: str(app[name].help).partition("\n")[0] for name in names} == SUMMARIES


def test_help_of_the_application_imports_no_command() -> None:
    """It imports neither the client nor aiohttp, which would double its time."""
    script = (
        "import sys; from packagex_async.cli import main; main(['--help']);"
        "loaded = [name for name in sys.modules if name == 'aiohttp' or '.cli.commands.' in name];"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It shows the usage, and the connection options of commands that use the API."""
    assert main([command, flag]) == 0
    text = capsys.readouterr().out
    assert f"Usage: packagex-exports {command}" in text
    assert "--verbose -v" in text
    uses_api = command not in OFFLINE
    assert [option for option in CONNECTION_OPTIONS if (option in text) is not uses_api] == []


def test_help_of_the_application_shows_no_connection_options(capsys: pytest.CaptureFixture[str]) -> None:
    """It names the environment variables."""
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert "Connection to the API" not in text
    for variable in ("PX_API_KEY", "PX_BASE_URL", "PX_ENVIRONMENT", "PX_CONFIG", "PX_PROFILE"):
        assert variable in text


@pytest.mark.parametrize("command", ["verify .", "demo", "emulator"])
@pytest.mark.parametrize("before", [True, False])
def test_connection_options_are_rejected_where_they_have_no_effect(
    command: str, before: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are unknown options, before and after the command."""
    options = ["--base-url", "http://127.0.0.1:9"]
    assert main([*options, *command.split()] if before else [*command.split(), *options]) == ExitCode.USAGE
    assert "unknown option: --base-url" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the version only."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"
