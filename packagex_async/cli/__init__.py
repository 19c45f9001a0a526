"""The command `packagex-exports`: the door, which tells of the extra when it is not installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

from packagex_async.cli.exit_codes import ExitCode

_EXTRA = ("cyclopts", "rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What stands behind the command's name; from `sys.argv` unless given.

    Returns:
        The exit code, one of `ExitCode`.
    """
    try:
        if not all(map(find_spec, _EXTRA)):
            sys.stderr.write("packagex-exports needs more packages: pip install 'packagex-async[cli]'\n")
            return ExitCode.USAGE
        from packagex_async.cli.run import run

        return run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        sys.stderr.write("packagex-exports: interrupted\n")
        return ExitCode.INTERRUPTED
