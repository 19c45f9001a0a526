"""The progress of threads that read files or objects."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

from packagex_async._utils.aio import run_shielded

T = TypeVar("T")

OnBlock = Callable[[int], None]
"""A function for threads, which they call with the number of bytes of each block."""


class StoppedError(Exception):
    """The result is not needed any more, so the thread must stop reading."""


class ReadProgress:
    """Counts the bytes that threads have read, and stops the threads.

    Args:
        on_progress: Called in the event loop with the number of bytes so far, and with the total.

    Attributes:
        total: The total number of bytes.
    """

    def __init__(self, on_progress: Callable[[int, int], object]) -> None:
        self.total = 0
        self._count = 0
        self._on_progress = on_progress
        self._is_stopped = False

    def callback(self) -> OnBlock:
        """Return a function for threads. It raises a `StoppedError` after `stop` was called."""
        loop = asyncio.get_running_loop()

        def on_read(count: int) -> None:
            if self._is_stopped:
                raise StoppedError
            loop.call_soon_threadsafe(self.advance, count)

        return on_read

    def advance(self, count: int) -> None:
        """Add bytes, and report the progress."""
        self._count += count
        self._on_progress(self._count, self.total)

    def stop(self) -> None:
        """Stop the threads at their next block."""
        self._is_stopped = True


async def run_stoppable(read: Callable[[OnBlock], Awaitable[T]]) -> T:
    """Return the result of `read`, whose thread has to call the given function with each block.

    After a cancellation, the thread stops at its next block, and the caller waits for that.
    """
    stopped = threading.Event()

    def on_block(_: int) -> None:
        if stopped.is_set():
            raise StoppedError

    return await run_shielded(read(on_block), on_cancel=stopped.set)
