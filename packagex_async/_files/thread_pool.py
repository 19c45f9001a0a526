"""A thread pool that keeps working when the process cannot start more threads."""

from __future__ import annotations

import errno
from collections.abc import Callable
from concurrent import futures
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class ThreadPool(futures.ThreadPoolExecutor):
    """A thread pool that uses its existing threads when it cannot start another one."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> futures.Future[T]:
        """Schedule a call.

        Raises:
            OSError: There is no thread, and none can be started.
        """
        try:
            return super().submit(fn, *args, **kwargs)
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, f"no thread can be started: {error}") from error

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
        except RuntimeError:
            if not self._threads:
                # No thread would ever run the call that was just scheduled.
                self._work_queue.get_nowait()
                raise
