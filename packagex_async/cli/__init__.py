"""The command `packagex-exports`. Without the extra `cli`, it prints how to install it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.signals import Terminated, sigterm_handler
from packagex_async.cli.stdio import ensure_standard_streams, write_error

_EXTRA_PACKAGES = ("cyclopts", "rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: The arguments after the program name. Default: `sys.argv[1:]`; the process is then expected
            to exit after the call.

    Returns:
        The exit code, a member of `ExitCode`.
    """
    with ensure_standard_streams():
        try:
            with sigterm_handler.installed(process_exits=arguments is None):
                return _run(sys.argv[1:] if arguments is None else arguments)
        except KeyboardInterrupt:
            write_error("packagex-exports: interrupted")
            return ExitCode.INTERRUPTED
        except Terminated:
            write_error("packagex-exports: terminated")
            return ExitCode.TERMINATED


def _run(arguments: Sequence[str]) -> int:
    if not all(map(find_spec, _EXTRA_PACKAGES)):
        write_error("packagex-exports needs the extra cli: pip install 'packagex-async[cli]' adds it")
        return ExitCode.USAGE
    from packagex_async.cli.run import run

    return run(arguments)
