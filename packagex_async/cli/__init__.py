"""The command `packagex-exports`: the door, which tells of the extra when it is not installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.signals import Terminated, termination
from packagex_async.cli.stdio import open_streams, write_error

_EXTRA = ("cyclopts", "rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What stands behind the command's name; from `sys.argv` unless given. The process ends after
            the command if they are not given.

    Returns:
        The exit code, one of `ExitCode`.
    """
    with open_streams():
        try:
            with termination.handled(ends_process=arguments is None):
                return _run(sys.argv[1:] if arguments is None else arguments)
        except KeyboardInterrupt:
            write_error("packagex-exports: interrupted")
            return ExitCode.INTERRUPTED
        except Terminated:
            write_error("packagex-exports: terminated")
            return ExitCode.TERMINATED


def _run(arguments: Sequence[str]) -> int:
    if not all(map(find_spec, _EXTRA)):
        write_error("packagex-exports needs more packages: pip install 'packagex-async[cli]'")
        return ExitCode.USAGE
    from packagex_async.cli.run import run

    return run(arguments)
