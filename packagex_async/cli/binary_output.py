"""Writes bytes to stdout or a file in a thread, so that a slow reader does not block the event loop."""

from __future__ import annotations

import asyncio
import io
import queue
import select
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

_Call = tuple[Callable[[], bytes], Callable[[Exception | None], object]]


class BinaryOutput:
    """Writes to a stream, unbuffered, while the `with` block runs.

    The process can exit while the thread waits for the reader of a pipe. A thread of an executor, or a lock
    of a buffer, would prevent that.

    Args:
        file: A file. The end of the block waits for the last write, so that the file can be closed. Default:
            stdout.

    Attributes:
        size: The number of bytes written so far.
    """

    def __init__(self, file: io.FileIO | None = None) -> None:
        self.size: int = 0
        stream: Any = sys.stdout.buffer if file is None else file
        self._stream = getattr(stream, "raw", stream)
        self._is_file = file is not None
        self._thread = threading.Thread(target=self._run, name="packagex-output", daemon=True)
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._calls.put(None)
        if self._is_file:
            self._thread.join()

    async def write(self, encode: Callable[[], bytes]) -> None:
        """Write the result of `encode`, which is called in the thread.

        Raises:
            BrokenPipeError: The reader has closed the pipe.
            OSError: The bytes cannot be written.
            Exception: Any error of `encode`.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def finish(error: Exception | None) -> None:
            # After an interruption, the loop may be closed.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_set, done, error)

        self._calls.put((encode, finish))
        await done

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            encode, finish = call
            try:
                self._write(memoryview(encode()))
            except Exception as error:
                finish(error)
            else:
                finish(None)

    def _write(self, data: memoryview) -> None:
        while data:
            count: int | None = self._stream.write(data)
            if count is None:
                # Another program has made the pipe non-blocking.
                select.select([], [self._stream], [])
                continue
            self.size += count
            data = data[count:]


def _set(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
