"""Where a command starts, and where its errors end."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import CycloptsError, Group, Parameter

from packagex_async import PackageXError
from packagex_async.cli.app import app
from packagex_async.cli.connection import Connection
from packagex_async.cli.display.tables import complain
from packagex_async.cli.exit_codes import ExitCode, exit_code
from packagex_async.cli.signals import termination
from packagex_async.cli.stdio import abandon

app.meta.group_parameters = Group("Connection to the API", sort_key=9)
app.meta.suppress_keyboard_interrupt = False


def run(arguments: Sequence[str]) -> int:
    """Run the command that `arguments` name; return the exit code."""
    try:
        result: int | None = app.meta(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
        # The help and the version may still be in the buffer.
        sys.stdout.flush()
        return result or ExitCode.OK
    except CycloptsError as error:
        complain(f"{error} Try --help.")
        return ExitCode.USAGE
    except PackageXError as error:
        complain(str(error))
        return exit_code(error)
    except (BrokenPipeError, SystemExit):
        # rich, which prints the help, exits where the reader of its output has gone.
        abandon(sys.stdout)
        return ExitCode.UNREAD
    except OSError as error:
        complain(str(error))
        abandon(sys.stdout)
        return ExitCode.ERROR


@app.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    connection: Annotated[Connection, Parameter(name="*")] = Connection(),  # noqa: B008  # frozen
) -> int | None:
    """Take the shared options from wherever they stand, then run the command."""
    command, bound, unparsed = app.parse_args(tokens, exit_on_error=False, print_error=False)
    if "connection" in unparsed:
        bound.arguments["connection"] = connection
    result = command(*bound.args, **bound.kwargs)
    # Help and version are printed by functions that are no coroutines.
    if not inspect.iscoroutine(result):
        return None
    code: int = termination.run(result)
    return code
