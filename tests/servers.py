"""Servers of other projects in separate processes."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TextIO

_LIMIT = 1800
"""Seconds after which a server is stopped, also if the tests are killed."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def running_server(
    command: list[str], ready: str, *, log: str | os.PathLike[str] = os.devnull, **options: Any
) -> Generator[str, None, None]:
    """Run a server; yield the rest of the line in which it reports that it accepts connections.

    Args:
        command: The command.
        ready: The text in that line.
        log: The file for the output of the server.
        options: Options of the process.
    """
    with (
        open(log, "w", encoding="utf-8") as file,
        subprocess.Popen(
            ["timeout", str(_LIMIT), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        ) as process,
        ThreadPoolExecutor(1) as reader,
    ):
        assert process.stdout
        lines = _copied(process.stdout, file)
        try:
            line = next((line for line in lines if ready in line), None)
            assert line is not None, f"{command[0]} has ended"
            # The server would wait if the pipe was full.
            reader.submit(deque, lines, 0)
            yield line.partition(ready)[2].strip()
        finally:
            process.terminate()


def _copied(lines: Iterable[str], file: TextIO) -> Iterator[str]:
    for line in lines:
        file.write(line)
        yield line
