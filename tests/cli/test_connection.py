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
    assert "--api-key-file" in result.err
    assert len(result.err.splitlines()) == 1


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
    """The error is one line, and the exit code is 1."""
    assert main(["list", "--base-url", "http://127.0.0.1:9", "--attempts", "1"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
