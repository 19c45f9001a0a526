"""Pipes between a socket and a file."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from packagex_async._bodies.pipe import Pipe, PipedChunk

CONTENT = bytes(range(250)) * 40


@pytest.fixture
def pipe() -> Pipe:
    """Return an empty pipe for 16 KiB."""
    return Pipe(16 * 1024)


def test_bytes_move_from_a_socket_to_a_file(pipe: Pipe, tmp_path: Path) -> None:
    """In order, and in pieces of any size."""
    sender, receiver = socket.socketpair()
    with sender, receiver, (tmp_path / "file").open("wb", buffering=0) as file:
        sender.sendall(CONTENT)
        assert pipe.fill(receiver.fileno(), 10) == 10
        assert pipe.fill(receiver.fileno(), len(CONTENT)) == len(CONTENT) - 10
        moved = pipe.move(file.fileno(), 100)
        while moved < len(CONTENT):
            moved += pipe.move(file.fileno(), len(CONTENT))
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_nothing_waits(pipe: Pipe, tmp_path: Path) -> None:
    """An empty pipe or socket raises an error, and a closed socket has no bytes."""
    sender, receiver = socket.socketpair()
    with receiver, (tmp_path / "file").open("wb") as file:
        receiver.setblocking(False)
        with pytest.raises(BlockingIOError):
            pipe.move(file.fileno(), 1)
        with pytest.raises(BlockingIOError):
            pipe.fill(receiver.fileno(), 1)
        sender.close()
        assert pipe.fill(receiver.fileno(), 1) == 0


def test_size_is_rounded_up() -> None:
    """Linux gives a pipe whole pages."""
    assert Pipe(5_000).size == 8_192


def test_pipe_is_closed_when_its_last_chunk_was_written() -> None:
    """A chunk keeps its pipe open only until then, because a traceback may refer to it for a long time."""
    pipe = Pipe(4_096)
    chunk, ends = PipedChunk(pipe, 1), pipe._ends
    del pipe
    for end in ends:
        os.fstat(end)
    chunk.take_pipe()
    for end in ends:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(end)


def test_part_of_a_chunk() -> None:
    """It has the size of the slice, or of the chunk."""
    chunk = PipedChunk(Pipe(4_096), 10)
    assert [len(chunk), len(chunk[:4]), len(chunk[:20])] == [10, 4, 10]
