"""Standard streams that are closed or broken. Commands run anyway, and the output is discarded."""

from __future__ import annotations

import errno
import os
import sys
import textwrap
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Protocol, TextIO

_TERMINALS_WITHOUT_CURSOR = ("dumb", "unknown")
"""Values of `TERM` for terminals that cannot move the cursor."""


class LiveArea(Protocol):
    """The rows at the end of the terminal that a live display redraws."""

    def print_above(self, line: str) -> None:
        """Print a line above the rows."""

    def erase(self) -> None:
        """Erase the rows and show the cursor, because the process ends at once."""


_live_area: LiveArea | None = None
_is_stdout_closed = False


def set_live_area(area: LiveArea | None) -> None:
    """Let `write_error` print above the rows of `area`; `None` means that no rows are shown."""
    global _live_area
    _live_area = area


def erase_live_area() -> None:
    """Erase the rows of the live display, if there is one, because the process ends at once."""
    if _live_area is not None:
        _live_area.erase()


def can_redraw() -> bool:
    """Return whether stderr is a terminal that can redraw lines."""
    return sys.stderr.isatty() and os.environ.get("TERM", "").lower() not in _TERMINALS_WITHOUT_CURSOR


@contextmanager
def ensure_standard_streams() -> Generator[None, None, None]:
    """Open closed standard streams on the null device.

    The operating system assigns a closed descriptor to the next file or socket that is opened. That file
    would then receive the output of the stream. Python itself sets a closed stream to `None`.
    """
    global _is_stdout_closed
    closed = [descriptor for descriptor in range(3) if _ensure_open(descriptor)]
    _is_stdout_closed = 1 in closed or sys.stdout is None
    with ExitStack() as stack:
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:
                stack.callback(setattr, sys, name, None)
                null = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
                setattr(sys, name, null)
        yield


def _ensure_open(descriptor: int) -> bool:
    """Open the null device as `descriptor` if it is closed, and return whether it was."""
    try:
        os.fstat(descriptor)
    except OSError:
        # All lower descriptors are open, so `os.open` returns this one.
        os.open(os.devnull, os.O_RDWR)
        return True
    return False


def require_stdout() -> None:
    """Check that stdout was open when the command started.

    Commands whose only result is the data on stdout call it. The other commands discard their output.

    Raises:
        OSError: It was closed.
    """
    if _is_stdout_closed:
        raise OSError(errno.EBADF, "it is closed", "stdout")


@contextmanager
def naming(name: str) -> Generator[None, None, None]:
    """Add the name of a stream or file to errors within the block that name no file."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or name
        raise


def write_error(line: str) -> None:
    """Write one line to stderr, above the rows of a live display. If stderr has no reader, discard it.

    A terminal gets a line break between words, if the line is longer than its width.
    """
    line = _wrap(line)
    if _live_area is None:
        StandardError().write(f"{line}\n")
    else:
        _live_area.print_above(line)


def _wrap(line: str) -> str:
    try:
        width = int(os.environ.get("COLUMNS") or 0) or os.get_terminal_size(sys.stderr.fileno()).columns
        if not sys.stderr.isatty():
            return line
        lines = textwrap.wrap(
            line, width, replace_whitespace=False, break_long_words=False, break_on_hyphens=False
        )
    except (OSError, ValueError):
        # The width is unknown, or stderr is closed.
        return line
    return "\n".join(lines)


class StandardError:
    """Stderr as a file that never fails, so that a command continues when its terminal is closed."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)

    def write(self, text: str) -> None:
        """Write `text`. If stderr has no reader, discard it."""
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):
            discard_output(sys.stderr)

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""


def discard_output(stream: TextIO) -> None:
    """Discard buffered output, so that the interpreter does not fail when it flushes the stream on exit."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
