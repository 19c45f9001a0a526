"""Calls that run in threads, in order, and report their outcomes to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent import futures

Call = Callable[[], object]

OnDone = Callable[[object, BaseException | None], object]
"""A callback that receives the result of a call, or its error."""

_PATIENCE = 0.01
"""Seconds that a call waits before another thread starts."""


class CallQueue:
    """Starts calls in threads, in the order in which they were added.

    A thread takes one call after another, without a turn of the event loop between them. While the queue is
    empty it occupies no thread. Another thread starts only if calls have to wait, because two threads that
    run short calls would hand each other the interpreter lock.

    Args:
        pool: The thread pool.
        max_threads: The maximum number of concurrent calls; with 1, a call ends before the next one starts.
        max_delay: Seconds for which an outcome may wait for those of the calls behind it, so that the event
            loop receives them together.
        stop_on_error: Skip all calls after a failed one. Their callbacks receive the same error.
    """

    def __init__(
        self,
        pool: futures.ThreadPoolExecutor,
        max_threads: int = 1,
        *,
        max_delay: float = 0.0,
        stop_on_error: bool = False,
    ) -> None:
        self._pool = pool
        self._max_threads = max_threads
        self._max_delay = max_delay
        self._stop_on_error = stop_on_error
        self._error: BaseException | None = None
        self._threads = 0
        self._lock = threading.Lock()
        self._calls: deque[tuple[Call, OnDone]] = deque()
        self._added = self._taken = 0
        self._timer: asyncio.TimerHandle | None = None
        self._outcomes: deque[tuple[OnDone, object, BaseException | None]] = deque()
        self._notified = False

    def add(self, call: Call, on_done: OnDone) -> None:
        """Schedule `call`, and `on_done` on the event loop when it has ended.

        Raises:
            OSError: No thread is available.
        """
        with self._lock:
            if not self._threads:
                self._start_thread()
            self._calls.append((call, on_done))
            self._added += 1
            if self._timer is None and self._threads < self._max_threads:
                self._watch()

    def _start_thread(self) -> None:
        self._pool.submit(self._run, asyncio.get_running_loop())
        self._threads += 1

    def _watch(self) -> None:
        """Start another thread later, if the call that was added last is still waiting then."""
        self._timer = asyncio.get_running_loop().call_later(_PATIENCE, self._check, self._added)

    def _check(self, awaited: int) -> None:
        with self._lock:
            self._timer = None
            if self._taken < awaited:
                # Without another thread, the existing ones run the calls.
                with contextlib.suppress(OSError):
                    self._start_thread()
            if self._calls and self._threads < self._max_threads:
                self._watch()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        reported_at = time.monotonic()
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
            if time.monotonic() - reported_at >= self._max_delay:
                self._notify(loop)
                reported_at = time.monotonic()
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
