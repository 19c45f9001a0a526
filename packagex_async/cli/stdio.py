"""Standard streams that are closed: a command works all the same, and what it writes to them goes nowhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, TextIO


@contextmanager
def open_streams() -> Generator[None, None, None]:
    """Have all three standard streams open in the block.

    A closed descriptor would be given to the next file or socket that is opened, which would then receive
    what is meant for the stream. Python itself has `None` in place of a stream that is closed.
    """
    for descriptor in range(3):
        _open_descriptor(descriptor)
    with ExitStack() as stack:
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:
                stack.callback(setattr, sys, name, None)
                nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
                setattr(sys, name, nowhere)
        yield


def _open_descriptor(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        # The lowest free descriptor is this one, for those below it are open.
        os.open(os.devnull, os.O_RDWR)


def write_error(line: str) -> None:
    """Write one line to stderr, or nothing if nobody reads it."""
    StandardError().write(f"{line}\n")


class StandardError:
    """Stderr as a file that never fails: a command goes on when its terminal is closed."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)

    def write(self, text: str) -> None:
        """Write `text`, or nothing if nobody reads it."""
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):
            abandon(sys.stderr)

    def flush(self) -> None:
        """Do nothing: what was written is not buffered."""


def abandon(stream: TextIO) -> None:
    """Let what is still buffered go nowhere, so that the interpreter does not fail on it at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
