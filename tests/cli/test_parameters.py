"""Types of parameters that several commands use."""

from __future__ import annotations

import sys

import pytest

from packagex_async.cli import main
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.parameters import split_commas
from packagex_async.testing import Emulator, Status
from tests.cli.support import Cli, Terminal, add_small_export


@pytest.mark.parametrize(
    ("values", "expected"),
    [(None, None), ([], []), (["a"], ["a"]), (["a,b", "c"], ["a", "b", "c"]), (["a,,b,"], ["a", "b"])],
)
def test_split_commas(values: list[str] | None, expected: list[str] | None) -> None:
    """Values may be repeated or separated by commas; empty items are dropped."""
    assert split_commas(values) == expected


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
@pytest.mark.parametrize("command", ["sync . --wait-timeout", "wait exp_1 --timeout"])
def test_invalid_waiting_time_is_a_usage_error(command: str, seconds: str, empty: Emulator, cli: Cli) -> None:
    """No request is sent."""
    assert cli(*command.split(), seconds).code == ExitCode.USAGE
    assert empty.requests == []


def test_dash_is_stdout(server: Emulator, cli: Cli) -> None:
    """As in other programs. An option is not taken for the name of a file."""
    assert cli("list", "--fields", "id", "-o", "-") == cli("list", "--fields", "id")
    result = cli("list", "--output", "--json")
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    assert "a file name is missing before --json" in result.err


def test_help_shows_no_default_of_flags(capsys: pytest.CaptureFixture[str]) -> None:
    """The defaults of other options are shown."""
    assert main(["sync", "--help"]) == 0
    text = capsys.readouterr().out
    assert "[default: 16]" in text
    assert "[default: False]" not in text


@pytest.mark.parametrize("command", ["list", "get", "cat"])
def test_quiet(command: str, empty: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Repeated requests are not reported."""
    export = add_small_export(empty)
    empty.inject(Status(503, on="api", retry_after="0"))
    arguments = [command] if command == "list" else [command, export.id]
    assert main([*arguments, "--base-url", empty.base_url, "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert len(empty.requests) > 1


def test_quiet_list_without_exports(empty: Emulator, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the missing exports are reported."""
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert cli("list", "-q").err == ""
