"""The command `demo`."""

from __future__ import annotations

import sys
from pathlib import Path

from packagex_async.cli.demo.comparison import print_comparison, print_comparison_json
from packagex_async.cli.demo.printer import StepPrinter, print_next_commands, print_text
from packagex_async.cli.demo.steps import STEPS, Demo
from packagex_async.cli.display.tables import print_json, print_line
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.parameters import Flag, Quiet
from packagex_async.cli.settings.destination import check_directory
from packagex_async.cli.stdio import can_redraw
from packagex_async.testing import Emulator


async def demo(*, directory: Path = Path("packagex-demo"), json: Flag = False, quiet: Quiet = False) -> int:
    """Show downloads from a local emulator that injects faults, and compare every byte.

    Needs no API key. Replaces files of an earlier run. On a terminal, the downloads are slow enough to watch,
    and take about 15 seconds.

    Args:
        directory: Write the files to this directory.
        json: Print one JSON object per line, for each artifact and for the summary.
        quiet: Print only the result.
    """
    check_directory(directory)
    is_quiet = json or quiet
    is_slow = not is_quiet and can_redraw() and sys.stdout.isatty()
    # `pending=None`: no export becomes completed after it has been listed.
    async with Emulator(pending=None) as server:
        run = Demo(server, directory, StepPrinter(STEPS, quiet=is_quiet), is_slow=is_slow)
        await run.run()
        return _print_result(run, directory, json=json, quiet=is_quiet, has_table=not is_slow)


def _print_result(run: Demo, directory: Path, *, json: bool, quiet: bool, has_table: bool) -> ExitCode:
    compared = run.compare()
    equal = sum(artifact.is_equal for artifact in compared)
    code = ExitCode.OK if equal == len(compared) else ExitCode.ERROR
    if json:
        print_comparison_json(compared)
        summary = {
            "listed": run.listed,
            "api_retried": run.api_errors(),
            "artifacts": len(compared),
            "equal": equal,
            "directory": directory.absolute(),
        }
        print_json({"event": "summary"} | summary)
        return code
    if has_table or code is not ExitCode.OK:
        print_line("")
        print_comparison(compared)
    print_line("")
    print_text(f"{equal} of {len(compared)} files are identical to the emulator's, byte for byte.")
    print_line(f"They are in {directory.absolute()}")
    if not quiet:
        print_next_commands(directory)
    return code
