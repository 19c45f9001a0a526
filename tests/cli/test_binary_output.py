"""Bytes on stdout: a slow reader blocks neither the event loop nor the exit of the process."""

from __future__ import annotations

import asyncio
import os
import select
import sys
import threading
from collections.abc import Iterator
from typing import IO, Any

import pytest

from packagex_async.cli.binary_output import BinaryOutput

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="`select` on Windows supports only sockets")

SIZE = 1_000_000
"""More bytes than a pipe takes."""


@pytest.fixture
def pipe() -> Iterator[tuple[IO[bytes], IO[str]]]:
    """Provide both ends of a pipe."""
    read, write = os.pipe()
    with open(read, "rb") as reader, open(write, "w") as writer:
        yield reader, writer


@pytest.fixture
def reader(pipe: tuple[IO[bytes], IO[str]]) -> IO[bytes]:
    """Provide the end of the pipe that is read."""
    return pipe[0]


@pytest.fixture
def output(pipe: tuple[IO[bytes], IO[str]], monkeypatch: pytest.MonkeyPatch) -> BinaryOutput:
    """Provide an output to the other end of the pipe, which replaces stdout."""
    monkeypatch.setattr(sys, "stdout", pipe[1])
    return BinaryOutput()


async def read(reader: IO[bytes], size: int) -> bytes:
    """Read in a thread."""
    return await asyncio.to_thread(reader.read, size)


async def test_loop_is_not_blocked(reader: IO[bytes], output: BinaryOutput) -> None:
    """The event loop runs while the bytes are written."""
    with output:
        writing = asyncio.create_task(output.write(lambda: bytes(SIZE)))
        assert await read(reader, SIZE) == bytes(SIZE)
        await writing
    assert output.size == SIZE


async def test_non_blocking_pipe(
    pipe: tuple[IO[bytes], IO[str]], output: BinaryOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The output waits for a pipe that another program has made non-blocking."""
    reader, writer = pipe
    os.set_blocking(writer.fileno(), False)
    waiting = threading.Event()
    wait = select.select

    def notice_and_wait(*files: Any) -> Any:
        waiting.set()
        return wait(*files)

    monkeypatch.setattr(select, "select", notice_and_wait)
    with output:
        writing = asyncio.create_task(output.write(lambda: bytes(SIZE)))
        await asyncio.to_thread(waiting.wait)
        assert await read(reader, SIZE) == bytes(SIZE)
        await writing


async def test_error_of_the_encoder(reader: IO[bytes], output: BinaryOutput) -> None:
    """`write` raises an error of the encoder, and can write further bytes."""

    def fail() -> bytes:
        raise ValueError("cannot be encoded")

    with output:
        with pytest.raises(ValueError, match="cannot be encoded"):
            await output.write(fail)
        await output.write(lambda: b"more")
    assert await read(reader, 4) == b"more"


async def test_reader_has_gone(reader: IO[bytes], output: BinaryOutput) -> None:
    """If the reader has closed the pipe, `write` raises the error of the system call."""
    reader.close()
    with output:
        with pytest.raises(BrokenPipeError):
            await output.write(lambda: b"lost")


async def test_cancelled_write(reader: IO[bytes], output: BinaryOutput) -> None:
    """The caller does not wait for the thread, and the result of the write is ignored."""
    with output:
        writing = asyncio.create_task(output.write(lambda: bytes(SIZE)))
        assert await read(reader, 1)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert len(await read(reader, SIZE - 1)) == SIZE - 1
        await output.write(lambda: b"next")


def test_loop_is_closed_before_the_write_ends(reader: IO[bytes], output: BinaryOutput) -> None:
    """If a signal closes the event loop, the thread ends without an error."""

    async def start() -> None:
        with output:
            writing = asyncio.create_task(output.write(lambda: bytes(SIZE)))
            await asyncio.sleep(0)
            writing.cancel()

    # A thread of another test may not have ended yet.
    before = set(threading.enumerate())
    asyncio.run(start())
    (thread,) = set(threading.enumerate()) - before
    assert (thread.name, thread.daemon) == ("packagex-output", True)
    assert len(reader.read(SIZE)) == SIZE
    thread.join()
