"""Lines, tables and JSON on stdout; errors on stderr."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from packagex_async.cli.display.tables import print_error, print_fields, print_json, print_line, print_table
from packagex_async.cli.output.layout import Column
from packagex_async.testing import Emulator
from tests.cli.support import Cli, Terminal


def test_control_characters_are_escaped(server: Emulator, cli: Cli) -> None:
    """Text of the server cannot control the terminal. Markup is printed as text."""
    server.add_export(name="\x1b]0;owned\x07[red]row\n2")
    result = cli("list")
    assert result.table[-1]["name"] == r"\x1b]0;owned\x07[red]row\n2"


def test_unencodable_characters_are_escaped(
    server: Emulator, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The encoding of stdout may be ASCII."""
    server.add_export(name="Käufer")
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert cli("list").code == 0
    assert rb"K\xe4ufer" in raw.getvalue().splitlines()[-1].split(b"\t")


@pytest.mark.parametrize(("columns", "line"), [("60", "id  name"), ("59", "id: exp_1")])
def test_narrow_terminals_show_blocks(columns: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns need a width of 60."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    print_table(["id", "name"], [["exp_1", "a name"]])
    assert " ".join(terminal.getvalue().splitlines()[0].split()) == " ".join(line.split())


def test_long_cells_are_shortened_on_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ellipsis is one character if the stream can encode it."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    print_table(["name"], [["n" * 100]])
    assert terminal.getvalue().splitlines()[1] == "n" * 59 + "…"


def test_fields_are_one_per_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal shows `name: value`, complete at every width; other outputs have a tab."""
    monkeypatch.setenv("COLUMNS", "20")
    columns = [Column("size", lambda size: f"{size} B"), Column("name")]
    print_fields(columns, [3, "n" * 30], out := io.StringIO())
    assert out.getvalue() == f"size\t3\nname\t{'n' * 30}\n"
    monkeypatch.setenv("TERM", "dumb")
    print_fields(columns, [3, "n" * 30], terminal := Terminal())
    assert terminal.getvalue() == f"size: 3 B\nname: {'n' * 30}\n"


def test_columns_without_priority_are_only_in_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other outputs contain all columns, with plain values."""
    monkeypatch.setenv("TERM", "dumb")
    columns = [
        Column("kept", priority=0),
        Column("size", lambda size: f"{size} B", priority=1),
        Column("tags"),
    ]
    rows = [[True, 3, ["a", "b"]]]
    print_table(columns, rows, out := io.StringIO())
    assert out.getvalue() == "kept\tsize\ttags\ntrue\t3\ta,b\n"
    print_table(columns, rows, terminal := Terminal())
    assert terminal.getvalue() == "kept  size\nTrue  3 B\n"


def test_records_have_a_version(capsys: pytest.CaptureFixture[str]) -> None:
    """It is the first field."""
    print_json({"event": "export"})
    assert capsys.readouterr().out == '{"schema_version": 1, "event": "export"}\n'


def test_paths_are_printed_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs use them. Control characters in paths are escaped."""
    path = Path("what?", "a=b", "x.csv")
    monkeypatch.setattr(sys, "stdout", out := io.StringIO())
    monkeypatch.setattr(sys, "stderr", err := io.StringIO())
    print_json({"path": path})
    print_table(["path"], [[path]])
    print_error(path, ": found")
    print_line("PX_API_KEY=for the emulator\n")
    assert json.loads(out.getvalue().splitlines()[0])["path"] == str(path)
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


def test_none_is_empty(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On terminals it is a dash. Zero is printed as a number."""
    print_table(["a", "b"], [[None, 0]])
    assert capsys.readouterr().out == "a\tb\n\t0\n"
    monkeypatch.setenv("TERM", "dumb")
    print_table(["a", "b"], [[None, 0]], terminal := Terminal())
    assert terminal.getvalue() == "a  b\n-  0\n"
