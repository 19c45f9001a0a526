"""Calls that run in threads, in order, and report their outcomes to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent import futures

Call = Callable[[], object]

OnDone = Callable[[object, BaseException | None], object]
"""A callback that receives the result of a call, or its error."""


class CallQueue:
    """Starts calls in threads, in the order in which they were added.

    A thread takes one call after another, without a turn of the event loop between them. While the queue is
    empty it occupies no thread. Another thread starts only if calls have to wait, because two threads that
    run short calls would hand each other the interpreter lock.

    Args:
        pool: The thread pool.
        max_threads: The maximum number of concurrent calls; with 1, a call ends before the next one starts.
        interval: Seconds. The event loop receives several outcomes together: when no call is waiting, or
            after this time. If a call has waited for this time, another thread starts. `None` reports each
            outcome at once, and starts only one thread.
        stop_on_error: Skip all calls after a failed one. Their callbacks receive the same error.
    """

    def __init__(
        self,
        pool: futures.ThreadPoolExecutor,
        *,
        max_threads: int = 1,
        interval: float | None = None,
        stop_on_error: bool = False,
    ) -> None:
        self._pool = pool
        self._max_threads = max_threads
        self._interval = interval
        self._stop_on_error = stop_on_error
        self._error: BaseException | None = None
        self._threads = 0
        self._lock = threading.Lock()
        self._calls: deque[tuple[Call, OnDone]] = deque()
        self._added = self._taken = 0
        self._outcomes: deque[tuple[OnDone, object, BaseException | None]] = deque()
        self._notified = False
        self._is_watched = False

    def add(self, call: Call, on_done: OnDone) -> None:
        """Schedule `call`, and `on_done` on the event loop when it has ended.

        Raises:
            OSError: No thread is available.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            if not self._threads:
                self._start_thread(loop)
            self._calls.append((call, on_done))
            self._added += 1
        if self._interval is not None and not self._is_watched:
            self._watch(loop, self._interval)

    def _start_thread(self, loop: asyncio.AbstractEventLoop) -> None:
        self._pool.submit(self._run, loop)
        self._threads += 1

    def _watch(self, loop: asyncio.AbstractEventLoop, interval: float) -> None:
        self._is_watched = True
        loop.call_later(interval, self._check, loop, interval, self._added)

    def _check(self, loop: asyncio.AbstractEventLoop, interval: float, awaited: int) -> None:
        """Report outcomes, and start another thread if the call of this number is still waiting."""
        self._is_watched = False
        self._report()
        with self._lock:
            if self._taken < awaited and self._threads < self._max_threads:
                # Without another thread, the existing ones run the calls.
                with contextlib.suppress(OSError):
                    self._start_thread(loop)
            is_waiting = bool(self._calls)
        if is_waiting:
            self._watch(loop, interval)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while (item := self._next()) is not None:
            call, on_done = item
            result, error = None, self._error
            if error is None:
                try:
                    result = call()
                except BaseException as raised:
                    error = raised
                    if self._stop_on_error:
                        self._error = raised
            self._outcomes.append((on_done, result, error))
            # The traceback refers to this frame: drop the reference cycle, and the data of the call.
            del item, call, on_done, result, error
            if self._interval is None:
                self._notify(loop)
        self._notify(loop)

    def _next(self) -> tuple[Call, OnDone] | None:
        with self._lock:
            if self._calls:
                self._taken += 1
                return self._calls.popleft()
            self._threads -= 1
            return None

    def _notify(self, loop: asyncio.AbstractEventLoop) -> None:
        # One notification is enough for all outcomes until the event loop runs it.
        if self._outcomes and not self._notified:
            self._notified = True
            loop.call_soon_threadsafe(self._report)

    def _report(self) -> None:
        self._notified = False
        while self._outcomes:
            on_done, result, error = self._outcomes.popleft()
            on_done(result, error)
