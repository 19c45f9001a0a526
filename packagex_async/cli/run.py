"""Run a command and turn its errors into messages and exit codes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import CycloptsError, Group, Parameter

from packagex_async import PackageXError
from packagex_async.cli.app import app
from packagex_async.cli.connection import ConnectionOptions
from packagex_async.cli.display.tables import print_error
from packagex_async.cli.exit_codes import ExitCode, exit_code
from packagex_async.cli.signals import sigterm_handler
from packagex_async.cli.stdio import discard_output

app.meta.group_parameters = Group("Connection to the API", sort_key=9)
app.meta.suppress_keyboard_interrupt = False


def run(arguments: Sequence[str]) -> int:
    """Run the command that `arguments` name, and return the exit code."""
    try:
        result: int | None = app.meta(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
        # The help and the version may still be in the buffer.
        sys.stdout.flush()
        return result or ExitCode.OK
    except CycloptsError as error:
        print_error(f"{error} Try --help.")
        return ExitCode.USAGE
    except PackageXError as error:
        print_error(str(error))
        return exit_code(error)
    except (BrokenPipeError, SystemExit):
        # rich prints the help, and exits if its reader has gone.
        discard_output(sys.stdout)
        return ExitCode.BROKEN_PIPE
    except OSError as error:
        print_error(str(error))
        discard_output(sys.stdout)
        return ExitCode.ERROR


@app.meta.default
def run_command(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    connection: Annotated[ConnectionOptions, Parameter(name="*")] = ConnectionOptions(),  # noqa: B008  # frozen
) -> int | None:
    """Parse the connection options, before or after the command, and run the command."""
    command, bound, unparsed = app.parse_args(tokens, exit_on_error=False, print_error=False)
    if "connection" in unparsed:
        bound.arguments["connection"] = connection
    result = command(*bound.args, **bound.kwargs)
    # --help and --version are handled by regular functions.
    if not inspect.iscoroutine(result):
        return None
    code: int = sigterm_handler.run(result)
    return code
