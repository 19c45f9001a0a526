"""The text of the demo: its steps, their results, and the commands to try next."""

from __future__ import annotations

import shlex
import shutil
import sys
import textwrap
from pathlib import Path

from packagex_async.cli.display.tables import print_line
from packagex_async.cli.output.terminal import terminal_width

_INDENT = " " * 4


class StepPrinter:
    """Prints the steps of the demo to stdout.

    Args:
        steps: The number of steps.
        quiet: Print nothing.
    """

    def __init__(self, steps: int, *, quiet: bool) -> None:
        self._steps = steps
        self._quiet = quiet
        self._printed = 0

    def start(self, text: str) -> None:
        """Print the number of the next step, and its explanation."""
        self._printed += 1
        self._print(f"{self._printed}/{self._steps} {text}", is_first_of_step=True)

    def result(self, text: str) -> None:
        """Print a result of the step."""
        self._print(f"{_INDENT}{text}")

    def _print(self, text: str, *, is_first_of_step: bool = False) -> None:
        if self._quiet:
            return
        if is_first_of_step and self._printed > 1:
            print_line("")
        print_text(text, indent=_INDENT)


def print_text(text: str, *, indent: str = "") -> None:
    """Print a text to stdout, wrapped if stdout is a terminal.

    Args:
        text: The text.
        indent: The start of each further line.
    """
    width = terminal_width() if sys.stdout.isatty() else len(text) + 1
    for line in textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False):
        print_line(line)


def print_next_commands(directory: Path) -> None:
    """Print three commands to try next. They work as printed.

    Args:
        directory: The directory of the files.
    """
    program, port, key = _program(), 8765, "px_demo_key"
    print_line("")
    print_line("Try next:")
    print_line(f"  {program} verify {shlex.quote(str(directory))}")
    print_line(f"  {program} emulator --port {port} --key {key}")
    print_text("and, while the emulator is running, in another terminal:")
    print_line(f"  PX_API_KEY={key} {program} sync exports --base-url http://127.0.0.1:{port}")


def _program() -> str:
    """Return the command as the user started it, in the form for a shell."""
    started = sys.argv[0]
    if not Path(started).name.startswith("packagex-exports"):
        return shlex.join([sys.executable, "-m", "packagex_async"])
    found = shutil.which("packagex-exports")
    is_found = found is not None and Path(found).resolve() == Path(started).resolve()
    return "packagex-exports" if is_found else shlex.quote(started)
