"""Lines, tables and JSON on stdout; errors on stderr."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from packagex_async.cli.display.tables import print_error, print_json, print_line, print_table
from packagex_async.testing import Emulator
from tests.cli.support import Cli, Terminal


def test_control_characters_are_escaped(server: Emulator, cli: Cli) -> None:
    """Text of the server cannot control the terminal. Markup is printed as text."""
    server.add_export(name="\x1b]0;owned\x07[red]row\n2")
    result = cli("list")
    assert result.out.splitlines()[-1].endswith(r"\x1b]0;owned\x07[red]row\n2")


def test_unencodable_characters_are_escaped(
    server: Emulator, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The encoding of stdout may be ASCII."""
    server.add_export(name="Käufer")
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert cli("list").code == 0
    assert raw.getvalue().endswith(rb"K\xe4ufer" + b"\n")


@pytest.mark.parametrize("columns", ["20", "60", "200"])
def test_ids_are_never_wrapped(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the columns in `wrap` wrap, even if the terminal is too narrow for an id."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    print_table(["id", "name"], [["exp_" + "x" * 40, "some words " * 8]], wrap={"name"})
    assert "exp_" + "x" * 40 in terminal.getvalue()


def test_paths_are_printed_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs use them. Control characters in paths are escaped."""
    path = Path("what?", "a=b", "x.csv")
    monkeypatch.setattr(sys, "stdout", out := io.StringIO())
    monkeypatch.setattr(sys, "stderr", err := io.StringIO())
    print_json({"path": path})
    print_table(["path"], [[path]])
    print_error(path, ": found")
    print_line("PX_API_KEY=for the emulator\n")
    assert json.loads(out.getvalue().splitlines()[0]) == {"path": str(path)}
    assert out.getvalue().splitlines()[1:] == ["path", str(path), r"PX_API_KEY=for the emulator\n"]
    assert err.getvalue() == f"packagex-exports: {path}: found\n"
    print_error(Path("a\x1bb"))
    assert err.getvalue().endswith(": a\\x1bb\n")


def test_secrets_are_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    """Signed URLs never reach a stream."""
    url = "https://storage.example/exp_1.csv?X-Px-Signature=SECRET"
    print_json({"error": url})
    print_table(["error"], [[url]])
    print_error(url)
    out, err = capsys.readouterr()
    assert "SECRET" not in out + err


def test_none_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    """Zero is printed as a number."""
    print_table(["a", "b"], [[None, 0]])
    assert capsys.readouterr().out == "a  b\n-  0\n"
