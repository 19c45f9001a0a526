"""The live display on a terminal: it is redrawn in place, and nothing of it remains."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyte
import pytest

from packagex_async.cli import stdio
from packagex_async.cli.display.live.rows import DisplayRow
from packagex_async.cli.display.live.terminal import LiveDisplay
from packagex_async.cli.display.tables import print_error
from packagex_async.testing import Emulator, Stall, Status
from tests.cli.support import Terminal, add_small_export

if sys.platform != "win32":
    from tests.cli.pty_support import on_terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")


class Rows(LiveDisplay):
    """A display with constant rows."""

    def __init__(self, *rows: DisplayRow) -> None:
        super().__init__(quiet=False)
        self.shown = rows

    def rows(self) -> Sequence[DisplayRow]:
        return self.shown


def screen_of(terminal: Terminal, columns: int = 80, height: int = 25) -> pyte.Screen:
    """Return the screen after everything was written to it."""
    screen = pyte.Screen(columns, height)
    pyte.Stream(screen).feed(terminal.getvalue().replace("\n", "\r\n"))
    return screen


def lines_of(terminal: Terminal, **size: int) -> list[str]:
    """Return the lines of the screen that are not empty."""
    return [line.rstrip() for line in screen_of(terminal, **size).display if line.strip()]


def open_terminal(monkeypatch: pytest.MonkeyPatch, stream: Terminal | None = None) -> Terminal:
    """Replace stderr by a terminal."""
    terminal = stream or Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    return terminal


def test_lines_appear_above_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows stay the last lines of the terminal, until they disappear."""
    terminal = open_terminal(monkeypatch)
    with Rows(DisplayRow(label="first"), DisplayRow(label="second")) as display:
        print_error("one [bold]message[/bold]")
        assert lines_of(terminal) == ["packagex-exports: one [bold]message[/bold]", "first", "second"]
        display.shown = (DisplayRow(label="third"),)
        display.refresh()
        print_error("x" * 100)
        lines = lines_of(terminal, columns=80)
        assert lines[1:3] == ["packagex-exports: " + "x" * 62, "x" * 38]
        assert lines[3:] == ["third"]
    print_error("after")
    assert lines_of(terminal)[3:] == ["packagex-exports: after"]
    assert not screen_of(terminal).cursor.hidden


@pytest.mark.parametrize("height", [2, 3, 4])
def test_display_that_is_higher_than_the_terminal(height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first rows are shown, so that all of them can be erased."""
    terminal = open_terminal(monkeypatch)
    monkeypatch.setenv("LINES", str(height))
    monkeypatch.setenv("COLUMNS", "80")
    with Rows(*(DisplayRow(label=f"row {number}") for number in range(9))) as display:
        for _ in range(3):
            display.refresh()
        assert lines_of(terminal, height=height) == [f"row {number}" for number in range(height - 1)]
    assert lines_of(terminal, height=height) == []


class BinaryTerminal(Terminal):
    """A terminal whose descriptor is a pipe."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor

    def fileno(self) -> int:
        return self.descriptor


def test_rows_are_erased_when_the_process_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second SIGTERM does not leave the `with` block."""
    stdio.erase_live_area()
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as pipe:
        terminal = open_terminal(monkeypatch, BinaryTerminal(writer))
        with Rows(DisplayRow(label="first"), DisplayRow(label="second")):
            shown = terminal.getvalue()
            stdio.erase_live_area()
            os.close(writer)
            # The descriptor is closed, like that of a terminal that has gone.
            stdio.erase_live_area()
        terminal = Terminal()
        terminal.write(shown)
        assert lines_of(terminal) == ["first", "second"]
        terminal.write(pipe.read().decode())
    assert lines_of(terminal) == []
    assert not screen_of(terminal).cursor.hidden


@pytest.mark.parametrize(("term", "is_live"), [("xterm", True), ("dumb", False), ("unknown", False)])
def test_terminal_that_cannot_move_the_cursor(
    term: str, is_live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows no rows."""
    monkeypatch.setenv("TERM", term)
    terminal = open_terminal(monkeypatch)
    with Rows(DisplayRow(label="first")) as display:
        assert display.is_live is is_live
        display.refresh()
        display.print_above("line")
    assert (terminal.getvalue() != "") is is_live


class AsciiTerminal(Terminal):
    """A terminal that shows ASCII only."""

    encoding = "ascii"


def test_rows_on_a_terminal_without_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is replaced by question marks or escapes."""
    terminal = open_terminal(monkeypatch, AsciiTerminal())
    with Rows(DisplayRow(label="total", fraction=0.5, amount="1.0 MiB")):
        assert "##" in terminal.getvalue()
    assert terminal.getvalue().isascii()


# The whole command, on a pseudo-terminal.


def stalled_run(empty: Emulator) -> None:
    """Add a small export, and a large one whose body stalls."""
    add_small_export(empty)
    large = add_small_export(empty, content={"csv": bytes(4_000_000)}, created_at=empty.now() + 1)
    empty.inject(Stall(after=1_000_000, export_id=large.id), times=None)


@pytest.mark.parametrize(
    ("number", "columns"),
    [
        (signal.SIGINT, 50),
        (signal.SIGINT, 60),
        (signal.SIGINT, 80),
        (signal.SIGTERM, 100),
        (signal.SIGINT, 120),
    ],
)
def test_interrupted_sync_leaves_no_rows(
    number: signal.Signals, columns: int, empty: Emulator, tmp_path: Path
) -> None:
    """The cursor is visible, and the summary is the last output."""
    stalled_run(empty)
    arguments = ["sync", str(tmp_path), "--base-url", empty.base_url, "--segments", "1"]
    with on_terminal(*arguments, columns=columns) as session:
        shown = session.wait_for(lambda lines: len(lines) == 3 and "1/2 exports, 2 files" in lines[0])
        assert all(len(line) <= columns for line in shown)
        if number == signal.SIGINT:
            session.press(b"\x03")
        else:
            session.process.send_signal(number)
        code = session.finish()
    assert code == 128 + number
    text = "".join(session.screen.display)
    assert "━" not in text
    assert "/2 exports" not in text
    assert "2 files are complete" in text.replace("  ", " ")
    assert session.lines[-1] == f"packagex-exports: {'interrupted' if code == 130 else 'terminated'}"
    assert not session.screen.cursor.hidden


def test_sync_on_a_dumb_terminal(empty: Emulator, tmp_path: Path) -> None:
    """It prints lines, and no control characters."""
    add_small_export(empty)
    with on_terminal("sync", tmp_path, "--base-url", empty.base_url, TERM="dumb") as session:
        assert session.finish() == 0
    assert b"\x1b" not in session.output
    assert b"verified by checksum" in session.output


def test_colors_of_the_display(empty: Emulator, tmp_path: Path) -> None:
    """Only standard colors that are legible on white and on black; with NO_COLOR, none at all."""
    stalled_run(empty)
    allowed: dict[str, set[str]] = {"": {"default", "magenta"}, "1": {"default"}}
    for no_color, colors in allowed.items():
        options: dict[str, Any] = {"NO_COLOR": no_color} if no_color else {}
        arguments = ["sync", str(tmp_path), "--base-url", empty.base_url, "--segments", "1"]
        with on_terminal(*arguments, columns=100, **options) as session:
            session.wait_for(lambda lines: any("━" in line for line in lines))
            cells = [cell for row in session.screen.buffer.values() for cell in row.values()]
            session.press(b"\x03")
            session.finish()
        assert {cell.fg for cell in cells} == colors
        assert {cell.bg for cell in cells} == {"default"}


def test_retried_listing_is_a_row(empty: Emulator, tmp_path: Path) -> None:
    """It disappears when the next attempt succeeds."""
    add_small_export(empty)
    empty.inject(Status(503, on="api", retry_after="1"))
    with on_terminal("sync", tmp_path, "--base-url", empty.base_url, columns=120) as session:
        session.wait_for(lambda lines: any("503" in line and "next attempt in" in line for line in lines))
        assert session.finish() == 0
    assert not any("503" in line for line in session.lines)


def are_new_rows(columns: int, lines: list[str]) -> bool:
    """Whether there are three rows of this width, with a margin. Earlier rows are cut at the last column."""
    return len(lines) == 3 and all("/" in line and len(line) <= columns - 4 for line in lines)


def test_terminal_that_shrinks_during_a_download(empty: Emulator, tmp_path: Path) -> None:
    """Each row remains one line of the new width, and none remains when SIGTERM ends the download."""
    content = {"csv": bytes(4_000_000), "json": bytes(9_000_000)}
    export = add_small_export(empty, export_id="exp_7xKyu1HYb3nq5cWc2vRpTz", content=content)
    empty.inject(Stall(after=1_000_000), times=None)
    arguments = ["download", export.id, "-o", str(tmp_path), "--base-url", empty.base_url]
    with on_terminal(*arguments, columns=120) as session:
        for columns in (120, 100, 80, 60, 50):
            session.resize(columns)
            rows = session.wait_for(partial(are_new_rows, columns))
            assert [row.split()[0][:8] for row in rows] == ["total", "exp_7xKy", "exp_7xKy"]
        session.process.send_signal(signal.SIGTERM)
        assert session.finish() == 143
    assert session.lines == ["packagex-exports: terminated"]
    assert not session.screen.cursor.hidden


def test_interrupted_creation_leaves_no_rows(empty: Emulator, tmp_path: Path) -> None:
    """The id of the new export remains on the screen."""
    arguments = ["create", "contact", "--download", str(tmp_path), "--base-url", empty.base_url]
    with on_terminal(*arguments, columns=60) as session:
        session.wait_for(lambda lines: any(", 0:0" in line for line in lines))
        session.press(b"\x03")
        assert session.finish() == 130
    assert " ".join(session.lines) == (
        f"packagex-exports: export {empty.created[0]} is created packagex-exports: interrupted"
    )
