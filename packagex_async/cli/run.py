"""Run a command and turn its errors into messages and exit codes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import CycloptsError, Group, Parameter

from packagex_async import PackageXError
from packagex_async.cli.app import app
from packagex_async.cli.connection import move_connection_options
from packagex_async.cli.display import notices
from packagex_async.cli.exit_codes import ExitCode, exit_code
from packagex_async.cli.messages.failures import print_failure
from packagex_async.cli.messages.log import log_to_stderr
from packagex_async.cli.shell.help_formatter import help_console
from packagex_async.cli.signals import sigterm_handler
from packagex_async.cli.stdio import discard_output, naming

app.meta.suppress_keyboard_interrupt = False


def run(arguments: Sequence[str]) -> int:
    """Run the command that `arguments` name, and return the exit code."""
    # cyclopts would keep the properties of the terminal at the first call.
    app.console = app.meta.console = help_console()
    try:
        result: int | None = app.meta(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
        # The help and the version may still be in the buffer.
        with naming("stdout"):
            sys.stdout.flush()
        return result or ExitCode.OK
    except CycloptsError as error:
        print_failure(error)
        return ExitCode.USAGE
    except PackageXError as error:
        print_failure(error)
        return exit_code(error)
    except (BrokenPipeError, SystemExit):
        # rich prints the help, and exits if its reader has gone.
        discard_output(sys.stdout)
        return ExitCode.BROKEN_PIPE
    except OSError as error:
        print_failure(error)
        discard_output(sys.stdout)
        return ExitCode.ERROR


@app.meta.default
def run_command(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    verbose: Annotated[
        int,
        Parameter(
            name=("--verbose", "-v"), count=True, show_default=False, group=Group("Messages", sort_key=10)
        ),
    ] = 0,
) -> int | None:
    """Parse the options of all commands, and run the command.

    Args:
        verbose: Print the log to stderr: -v for results and problems, -vv also for each request.
    """
    command, bound, _ = app.parse_args(
        move_connection_options(tokens), exit_on_error=False, print_error=False
    )
    # With -v, the log contains the notices.
    is_silent = verbose or "connection" not in bound.arguments or bound.arguments.get("quiet")
    with log_to_stderr(verbose), notices.listen(notices.ignore if is_silent else notices.NoticePrinter()):
        with naming("stdout"):
            result = command(*bound.args, **bound.kwargs)
        # Regular functions, such as --help and --version, only print to stdout.
        if not inspect.iscoroutine(result):
            return result if isinstance(result, int) else None
        code: int = sigterm_handler.run(result)
        return code
