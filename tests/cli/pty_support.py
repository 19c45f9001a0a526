"""Runs commands on a pseudo-terminal, whose screen a terminal emulator maintains."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import attrs
import pyte

from packagex_async.cli import main
from tests.cli.support import PATIENT_COMMAND, TIMEOUT

ROWS = 30


@attrs.define
class TerminalSession:
    """A command that runs on a terminal.

    Attributes:
        process: The process of the command.
        screen: The screen of the terminal.
        descriptor: The side of the terminal that shows the screen.
        output: Everything that the command has written.
    """

    process: subprocess.Popen[bytes]
    screen: pyte.Screen
    descriptor: int
    output: bytes = b""
    _stream: pyte.ByteStream = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._stream = pyte.ByteStream(self.screen)

    @property
    def lines(self) -> list[str]:
        """The lines of the screen that are not empty."""
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def wait_for(self, condition: Callable[[list[str]], bool]) -> list[str]:
        """Read output until the lines of the screen fulfil `condition`; return the lines."""
        deadline = time.monotonic() + TIMEOUT
        while not condition(self.lines):
            assert self._read(deadline), f"the command ended with {self.lines}"
        return self.lines

    def resize(self, columns: int) -> None:
        """Change the width of the terminal, which sends SIGWINCH to the command."""
        set_width(self.descriptor, columns)
        self.screen.resize(ROWS, columns)

    def press(self, key: bytes) -> None:
        """Send a key, such as `b"\\x03"` for Ctrl-C, which the terminal turns into a signal."""
        os.write(self.descriptor, key)

    def finish(self) -> int:
        """Read the rest of the output, and return the exit code."""
        deadline = time.monotonic() + TIMEOUT
        while self._read(deadline):
            pass
        return self.process.wait(TIMEOUT)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self.descriptor], [], [], max(deadline - time.monotonic(), 0))
        assert ready, f"timeout with {self.lines}"
        try:
            # Few bytes, so that `wait_for` sees each state of the screen, even if the command is faster.
            data = os.read(self.descriptor, 256)
        except OSError:
            # Linux reports the end of the other side as an error.
            return False
        self.output += data
        self._stream.feed(data)
        return bool(data)


@contextmanager
def on_terminal(
    *arguments: str | Path, columns: int = 80, **environment: str
) -> Generator[TerminalSession, None, None]:
    """Run a command on a terminal of this width, which is stdin, stdout and stderr of the command."""
    ours, theirs = pty.openpty()
    set_width(theirs, columns)
    process = subprocess.Popen(
        [*PATIENT_COMMAND, *map(str, arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_control_terminal,
        env=os.environ | {"PYTHONUTF8": "1"} | environment,
    )
    os.close(theirs)
    try:
        yield TerminalSession(process, pyte.Screen(columns, ROWS), ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _control_terminal() -> None:
    """Make stdin the controlling terminal, so that Ctrl-C sends SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def screen_of_command(*arguments: str | Path, columns: int) -> tuple[int, list[str]]:
    """Run a command in this process on a terminal; return its exit code and the lines on the screen.

    The lines have no spaces at their end.
    """
    code, output = output_of_command(*arguments, columns=columns)
    screen = pyte.Screen(columns, 1100)
    pyte.ByteStream(screen).feed(output)
    return code, "\n".join(line.rstrip() for line in screen.display).rstrip().split("\n")


def output_of_command(*arguments: str | Path, columns: int) -> tuple[int, bytes]:
    """Run a command in this process; return its exit code and everything that it writes to the terminal.

    The terminal is stdin, stdout and stderr.
    """
    ours, theirs = pty.openpty()
    set_width(theirs, columns)
    saved = [os.dup(descriptor) for descriptor in range(3)]
    with ThreadPoolExecutor(1) as executor:
        output = executor.submit(_read_all, ours)
        try:
            for descriptor in range(3):
                os.dup2(theirs, descriptor)
            os.close(theirs)
            with (
                open(1, "w", encoding="utf-8", closefd=False) as out,
                open(2, "w", encoding="utf-8", closefd=False) as err,
                redirect_stdout(out),
                redirect_stderr(err),
            ):
                code = main([*map(str, arguments)])
        finally:
            for descriptor, copy in enumerate(saved):
                os.dup2(copy, descriptor)
                os.close(copy)
        written = output.result()
    os.close(ours)
    return code, written


def set_width(descriptor: int, columns: int) -> None:
    """Set the width of a terminal."""
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))


def _read_all(descriptor: int) -> bytes:
    blocks = []
    # Linux reports the end of the other side as an error.
    with suppress(OSError):
        while block := os.read(descriptor, 65536):
            blocks.append(block)
    return b"".join(blocks)
