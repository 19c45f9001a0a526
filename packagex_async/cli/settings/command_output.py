"""Run a command, and read its output until it ends."""

from __future__ import annotations

import os
import secrets
import subprocess
import threading
from collections.abc import Sequence


def read_output(command: Sequence[str], timeout: float, max_length: int) -> bytes:
    """Run a command without a shell, and return its stdout.

    A process that the command leaves behind may keep stdout open. Therefore, the output ends when the command
    ends, and not at the end of the file.

    Args:
        command: The command and its arguments.
        timeout: The maximum duration in seconds.
        max_length: The maximum number of bytes. Of a longer output, more than this is returned, but not all.

    Raises:
        OSError: The command cannot be started.
        subprocess.TimeoutExpired: It did not end in time, and was killed.
        subprocess.CalledProcessError: Its exit code is not 0.
    """
    source, target = os.pipe()
    reader = _Reader(source, max_length)
    try:
        with subprocess.Popen(  # noqa: S603  # The user has configured the command.
            command, stdout=target, stderr=subprocess.DEVNULL
        ) as process:
            reader.start()
            try:
                code = process.wait(timeout)
            except BaseException:
                process.kill()
                raise
    finally:
        reader.stop(target)
        os.close(target)
        os.close(source)
    if code:
        raise subprocess.CalledProcessError(code, command)
    return reader.output


class _Reader:
    """Reads a pipe in a thread, up to a mark that `stop` writes into it."""

    def __init__(self, source: int, max_length: int) -> None:
        self._source = source
        self._max_length = max_length
        self._mark = secrets.token_bytes(16)
        self._data = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)

    @property
    def output(self) -> bytes:
        """The bytes before the mark."""
        return bytes(self._data.partition(self._mark)[0])

    def start(self) -> None:
        """Start to read."""
        self._thread.start()

    def stop(self, target: int) -> None:
        """Read what is in the pipe now, and end the thread.

        Args:
            target: The end of the pipe to which the command writes.
        """
        if self._thread.ident is not None:
            os.write(target, self._mark)
            self._thread.join()

    def _read(self) -> None:
        while self._mark not in self._data:
            # A longer output is an error, so its middle is not needed.
            del self._data[self._max_length + 1 : -len(self._mark)]
            self._data += os.read(self._source, 65536)
