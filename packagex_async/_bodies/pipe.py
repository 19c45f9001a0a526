"""Pipes of Linux as buffers: bytes move from a socket to a file, and the process needs no copy of them."""

from __future__ import annotations

import os
from importlib import import_module

IS_SUPPORTED = hasattr(os, "splice")
"""Whether the system can move bytes through pipes."""


class Pipe:
    """A pipe that is filled from a socket and emptied into a file, in order. It is closed when it is freed.

    Args:
        size: Bytes that the pipe can contain. Linux may round them up.

    Attributes:
        size: The same, rounded up. The bytes of small packets need more space, so fewer of them may fit.

    Raises:
        OSError: The limit for open files, or the one for pipes of this size, is reached.
    """

    _ends: tuple[int, ...] = ()

    def __init__(self, size: int) -> None:
        fcntl = import_module("fcntl")
        self._ends = self._output, self._input = os.pipe()
        self.size: int = fcntl.fcntl(self._input, fcntl.F_SETPIPE_SZ, size)

    def __del__(self) -> None:
        # A thread may still empty the pipe when its reader is closed, so there is no method that closes it.
        for end in self._ends:
            os.close(end)

    def fill(self, source: int, size: int) -> int:
        """Move up to `size` bytes from the socket `source`, without waiting.

        Returns:
            The number of bytes; 0 at the end of the connection.

        Raises:
            BlockingIOError: The socket has no bytes, or the pipe is full.
            OSError: The connection failed, or the system cannot move bytes from this socket.
        """
        return os.splice(source, self._input, size, flags=os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK)

    def move(self, target: int, size: int) -> int:
        """Move up to `size` bytes to the offset of the file `target`; return their number.

        Raises:
            OSError: The file cannot be written, or the pipe is empty. With `EINVAL`, the file system has no
                support for it, or the file is open for appending.
        """
        return os.splice(self._output, target, size, flags=os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK)

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes. The pipe must contain some."""
        return os.read(self._output, size)


class PipedChunk:
    """Bytes in a pipe. The chunks of a pipe must be written in order, each once.

    Args:
        pipe: The pipe.
        size: The number of bytes.
    """

    __slots__ = ("_pipe", "_size")

    def __init__(self, pipe: Pipe, size: int) -> None:
        self._pipe: Pipe | None = pipe
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> PipedChunk:
        """Return the first bytes, as `chunk[:size]`. The others stay in the pipe."""
        return PipedChunk(self._used_pipe, min(part.stop, self._size))

    def take_pipe(self) -> Pipe:
        """Return the pipe, to write the bytes. The chunk forgets it, so that it is closed early."""
        pipe, self._pipe = self._used_pipe, None
        return pipe

    @property
    def _used_pipe(self) -> Pipe:
        assert self._pipe is not None  # noqa: S101  # the chunk was not written yet
        return self._pipe
