"""The text of the demo."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from packagex_async.cli.demo.printer import StepPrinter, print_next_commands, print_text
from tests.cli.support import Terminal


def test_steps_are_numbered(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty line separates two steps."""
    printer = StepPrinter(2, quiet=False)
    printer.start("List.")
    printer.result("2 exports")
    printer.start("Download.")
    assert capsys.readouterr().out == "1/2 List.\n    2 exports\n\n2/2 Download.\n"


def test_quiet_printer_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """It prints neither steps nor results."""
    printer = StepPrinter(2, quiet=True)
    printer.start("List.")
    printer.result("2 exports")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_long_text_is_wrapped_on_a_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """Further lines are indented. No word is split."""
    terminal, words = Terminal(), ["hash-mismatch"] * 30
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(columns))
    print_text(" ".join(words), indent="    ")
    first, *rest = terminal.getvalue().splitlines()
    assert max(map(len, [first, *rest])) <= columns
    assert all(line.startswith("    hash") for line in rest)
    assert terminal.getvalue().split() == words


@pytest.mark.parametrize(
    ("started", "found", "program"),
    [
        ("bin/packagex-exports", "bin/packagex-exports", "packagex-exports"),
        ("bin/packagex-exports", "other/packagex-exports", "bin/packagex-exports"),
        ("my bin/packagex-exports", None, "'my bin/packagex-exports'"),
        ("packagex_async/__main__.py", None, shlex.join([sys.executable, "-m", "packagex_async"])),
    ],
)
def test_commands_name_the_program_as_it_was_started(
    started: str,
    found: str | None,
    program: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The program may not be on the PATH. The path of the directory is quoted."""
    monkeypatch.setattr(sys, "argv", [started])
    monkeypatch.setattr("shutil.which", lambda name: found)
    print_next_commands(Path("my files"))
    commands = [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert commands == [
        f"{program} verify 'my files'",
        f"{program} emulator --port 8765 --key px_demo_key",
        f"PX_API_KEY=px_demo_key {program} sync exports --base-url http://127.0.0.1:8765",
    ]
