"""Calls made in turn on threads, each of them told of on the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent import futures


class CallQueue:
    """Calls begun in turn on threads, which go from one to the next without a turn of the event loop.

    Args:
        pool: Where the threads come from while there are calls.
        most: How many threads at most; with one, a call ends before the next begins.
    """

    def __init__(self, pool: futures.ThreadPoolExecutor, most: int = 1) -> None:
        self._pool = pool
        self._most = most
        self._threads = 0
        self._lock = threading.Lock()
        self._calls: deque[tuple[Callable[[], object], Callable[[], object]]] = deque()
        self._ended: deque[Callable[[], object]] = deque()
        self._telling = False

    def add(self, call: Callable[[], object], tell: Callable[[], object]) -> None:
        """Have `call` made in its turn, which must not raise, and then `tell` on the event loop.

        Raises:
            RuntimeError: The threads were let go.
        """
        with self._lock:
            if self._threads < self._most:
                self._pool.submit(self._make_all, asyncio.get_running_loop())
                self._threads += 1
            self._calls.append((call, tell))

    def _make_all(self, loop: asyncio.AbstractEventLoop) -> None:
        while made := self._next():
            call, tell = made
            call()
            self._ended.append(tell)
            # While the loop is busy, what has ended meanwhile is told all at once.
            if not self._telling:
                self._telling = True
                loop.call_soon_threadsafe(self._tell_all)

    def _next(self) -> tuple[Callable[[], object], Callable[[], object]] | None:
        with self._lock:
            if self._calls:
                return self._calls.popleft()
            self._threads -= 1
            return None

    def _tell_all(self) -> None:
        self._telling = False
        while self._ended:
            self._ended.popleft()()
