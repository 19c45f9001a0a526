"""The connection options: key, environment, base URL, timeout, attempts."""

from __future__ import annotations

from pathlib import Path

import pytest

from packagex_async.cli import main
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.testing import Emulator
from tests.cli.support import CANARY, Cli


def test_key_file_takes_precedence_over_the_variable(
    server: Emulator, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newline at the end of the file is ignored."""
    monkeypatch.setenv("PX_API_KEY", "another")
    (tmp_path / "key").write_text(f"{CANARY}\n")
    assert cli("list", "--api-key-file", tmp_path / "key").code == 0
    assert server.requests[0].headers["PX-API-KEY"] == CANARY


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe" + CANARY.encode()])
def test_invalid_key_file(content: bytes | None, cli: Cli, tmp_path: Path) -> None:
    """The message names the option, and does not quote the file."""
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    result = cli("list", "--api-key-file", tmp_path / "key")
    assert result.code == ExitCode.USAGE
    message, hint = result.err.splitlines()
    assert "--api-key-file" in message
    assert hint.startswith("hint: ")


@pytest.mark.parametrize("prefix", ["\ufeff", " \ufeff \n"])
def test_byte_order_mark_is_not_part_of_the_key(
    prefix: str, empty: Emulator, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some editors write one. It is ignored in a file and in the variable."""
    (tmp_path / "key").write_text(f"{prefix}{CANARY}\n", encoding="utf-8")
    assert cli("list", "--api-key-file", tmp_path / "key").code == 0
    monkeypatch.setenv("PX_API_KEY", f"{prefix}{CANARY}")
    assert cli("list").code == 0
    assert {request.headers["PX-API-KEY"] for request in empty.requests} == {CANARY}


def test_no_request_without_a_key(server: Emulator, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable and the option."""
    monkeypatch.delenv("PX_API_KEY")
    result = cli("list")
    assert (result.code, server.requests) == (ExitCode.USAGE, [])
    assert "PX_API_KEY" in result.err
    assert "--api-key-file" in result.err


def test_rejected_key_is_not_printed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 3."""
    monkeypatch.setenv("PX_API_KEY", "px_wrong_key")
    result = cli("list")
    assert result.code == ExitCode.AUTHENTICATION
    assert "px_wrong_key" not in result.err


def test_options_may_precede_the_command(server: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """The connection options are accepted before and after the name of the command."""
    assert main(["--base-url", server.base_url, "list", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(server.exports)


def test_unreachable_server(capsys: pytest.CaptureFixture[str]) -> None:
    """The error is one line with a hint, and the exit code is 1."""
    assert main(["list", "--base-url", "http://127.0.0.1:9", "--attempts", "1"]) == 1
    message, hint = capsys.readouterr().err.splitlines()
    assert message.endswith("could not connect to 127.0.0.1:9: connection refused")
    assert "--proxy or --ca-file" in hint


def configure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> Path:
    """Write a configuration file."""
    file = tmp_path / "config.toml"
    file.write_text(text)
    monkeypatch.setenv("PX_CONFIG", str(file))
    return file


def test_base_url_variable(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """It replaces the option."""
    monkeypatch.setenv("PX_BASE_URL", server.base_url)
    assert main(["list", "--json"]) == 0
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PX_BASE_URL", "https://api.example"), ("PX_ENVIRONMENT", "sandbox"), ("PX_ENVIRONMENT", "moon")],
)
def test_option_takes_precedence(
    variable: str, value: str, server: Emulator, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--base-url` overrides both variables, which may then be invalid."""
    monkeypatch.setenv(variable, value)
    assert cli("list").code == 0
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("PX_BASE_URL", "ftp://a", "PX_BASE_URL 'ftp://a' cannot be used"),
        ("PX_ENVIRONMENT", "moon", "PX_ENVIRONMENT must be production or sandbox"),
        ("PX_PROFILE", "work", "No such file"),
        ("PX_API_KEY", "key\x7f", "the API key contains non-ASCII"),
    ],
)
def test_invalid_variable(
    variable: str,
    value: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The message names the variable."""
    monkeypatch.setenv(variable, value)
    assert main(["list"]) == ExitCode.USAGE
    assert message in capsys.readouterr().err


def test_environment_and_base_url(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options exclude each other, and variables do, unless an option overrides them."""
    result = cli("list", "--environment", "sandbox")
    assert (result.code, result.messages) == (
        ExitCode.USAGE,
        ["packagex-exports: --base-url and --environment exclude each other"],
    )
    monkeypatch.setenv("PX_BASE_URL", "https://api.example")
    monkeypatch.setenv("PX_ENVIRONMENT", "sandbox")
    assert cli("list").code == ExitCode.OK
    assert main(["list"]) == ExitCode.USAGE
    assert "PX_BASE_URL and PX_ENVIRONMENT exclude each other" in capsys.readouterr().err


def test_profile(server: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It contains everything that the connection needs. The variable PX_API_KEY is not set."""
    monkeypatch.delenv("PX_API_KEY")
    (tmp_path / "key").write_text(CANARY)
    lines = f"base_url = {server.base_url!r}\napi_key_file = 'key'\nattempts = 1\nrequest_timeout = 5"
    configure(monkeypatch, tmp_path, f"[profiles.work]\n{lines}\n")
    assert main(["list", "--json", "--profile", "work"]) == 0
    monkeypatch.setenv("PX_PROFILE", "work")
    assert main(["list", "--json"]) == 0
    assert [request.headers["PX-API-KEY"] for request in server.requests] == [CANARY, CANARY]


def test_variables_take_precedence_over_the_file(
    server: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also over a setting of another kind. The command for the key is not run."""
    monkeypatch.setenv("PX_BASE_URL", server.base_url)
    configure(monkeypatch, tmp_path, "[profiles.default]\nenvironment='sandbox'\napi_key_command='false'\n")
    assert main(["list", "--json"]) == 0
    assert len(server.requests) == 1


def test_named_profile_takes_precedence_over_variables(
    server: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`--profile` is an option. Variables set only what the profile lacks. `PX_PROFILE` is a variable."""
    monkeypatch.setenv("PX_API_KEY", "px_other")
    monkeypatch.setenv("PX_ENVIRONMENT", "moon")
    (tmp_path / "key").write_text(CANARY)
    text = f"[profiles.key]\napi_key_file = 'key'\n[profiles.work]\nbase_url = {server.base_url!r}\n"
    configure(monkeypatch, tmp_path, f"{text}api_key_file = 'key'\n")
    assert main(["list", "--profile", "work"]) == ExitCode.OK
    monkeypatch.delenv("PX_ENVIRONMENT")
    monkeypatch.setenv("PX_BASE_URL", server.base_url)
    assert main(["list", "--profile", "key"]) == ExitCode.OK
    monkeypatch.setenv("PX_PROFILE", "work")
    assert main(["list"]) == ExitCode.AUTHENTICATION


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("base_url = 'ftp://a'", "base_url in profile 'default' of {file} 'ftp://a' cannot be used"),
        ("proxy = 'socks5://a'", "proxy in profile 'default' of {file} cannot be used"),
        ("request_timeout = 0", "request_timeout in profile 'default' of {file} must be more than 0 seconds"),
        ("stall_timeout = -1", "stall_timeout in profile 'default' of {file} must be more than 0 seconds"),
        ("attempts = 0", "attempts in profile 'default' of {file} must be 1 or more, not 0"),
        ("ca_file = 'none'", "ca_file in profile 'default' of {file}: "),
    ],
)
def test_invalid_value_in_a_profile(
    line: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The message names the key, the profile and the file."""
    file = configure(monkeypatch, tmp_path, f"[profiles.default]\n{line}\n")
    assert main(["list"]) == ExitCode.USAGE
    assert message.format(file=file) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--stall-timeout=0", "--stall-timeout must be more than 0 seconds"),
        ("--request-timeout=nan", "--request-timeout must be more than 0 seconds"),
        ("--attempts=0", "--attempts must be 1 or more"),
    ],
)
def test_invalid_option(option: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the option."""
    assert main(["list", option]) == ExitCode.USAGE
    assert message in capsys.readouterr().err
