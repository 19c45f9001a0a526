"""The output of a command is read until it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from packagex_async.cli.settings.command_output import read_output

TIMEOUT = 60.0
MAX_LENGTH = 100_000

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in directories")


def read(code: str, *arguments: str | Path, timeout: float = TIMEOUT) -> bytes:
    """Return the output of a program."""
    return read_output([sys.executable, "-c", code, *map(str, arguments)], timeout, MAX_LENGTH)


def test_complete_output() -> None:
    """It may be larger than the buffer of a pipe."""
    assert read("print('x' * 90_000, end='')") == b"x" * 90_000


def test_long_output() -> None:
    """Only the start is kept in memory."""
    output = read("print('x' * 5_000_000)")
    assert MAX_LENGTH < len(output) < 5_000_000


@posix
def test_process_that_is_left_behind(tmp_path: Path) -> None:
    """It keeps the output open, but the output ends when the command ends."""
    os.mkfifo(fifo := tmp_path / "fifo")
    # The process reads until this descriptor is closed.
    writer = os.open(fifo, os.O_RDWR)
    code = """
import subprocess, sys
with open(sys.argv[1]) as fifo:
    subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=fifo)
print("key")
"""
    try:
        assert read(code, fifo) == b"key\n"
    finally:
        os.close(writer)


def test_failed_command() -> None:
    """The error has the exit code, and not the output."""
    with pytest.raises(subprocess.CalledProcessError) as raised:
        read("import sys; print('SECRET'); sys.exit(3)")
    assert raised.value.returncode == 3
    assert raised.value.output is None


def test_command_without_end() -> None:
    """It is killed."""
    with pytest.raises(subprocess.TimeoutExpired) as raised:
        read("import os; os.read(os.pipe()[0], 1)", timeout=0.01)
    assert raised.value.output is None


def test_missing_command() -> None:
    """No thread remains."""
    with pytest.raises(FileNotFoundError):
        read_output(["no-such-command"], TIMEOUT, MAX_LENGTH)
