"""The command `man`."""

from __future__ import annotations

import sys

from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.stdio import require_stdout


def man() -> int:
    """Print the manual page in the format of the program man.

    To read it: packagex-exports man | man -l -
    """
    from packagex_async.cli.app import app
    from packagex_async.cli.shell.man_page import man_page

    require_stdout()
    sys.stdout.write(man_page(app))
    return ExitCode.OK
