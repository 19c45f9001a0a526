"""The progress of threads that read files or objects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


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

    def callback(self) -> Callable[[int], None]:
        """Return a function for threads, which they call with the number of bytes of each block.

        The function raises a `StoppedError` after `stop` was called.
        """
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
