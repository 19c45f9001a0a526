"""Blocking calls that write one file, in order, in a thread."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import ParamSpec

from packagex_async._files.call_queue import CallQueue
from packagex_async._files.disk_errors import DiskError, wrap_os_errors
from packagex_async._utils.aio import run_shielded

P = ParamSpec("P")


class OrderedWriter:
    """Runs the calls that write one file, one after another; after an error, it skips the others.

    There is no turn of the event loop between two calls. For a large file, it would take as long as writing.

    Args:
        path: The path that the calls work on, for error messages.
        pool: The thread pool.
    """

    def __init__(self, path: Path, pool: futures.ThreadPoolExecutor) -> None:
        self._path = path
        self._pool = pool
        self._submitted = self._done = 0
        self._error: BaseException | None = None
        self._waiters: list[asyncio.Future[None]] = []

    @functools.cached_property
    def _queue(self) -> CallQueue:
        # Small files do not need it.
        return CallQueue(self._pool, stop_on_error=True)

    async def submit(self, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Schedule a call of `function`, and wait until all earlier calls have ended.

        Raises:
            DiskError: An earlier call raised an `OSError`, or no thread is available.
        """
        previous = self._submitted
        with wrap_os_errors(self._path):
            self._queue.add(functools.partial(function, *args, **kwargs), self._on_done)
        self._submitted += 1
        await self._wait_for(previous)
        self.raise_error()

    async def wait(self) -> None:
        """Wait until all calls have ended.

        Raises:
            DiskError: A call raised an `OSError`.
        """
        await self._wait_for(self._submitted)
        self.raise_error()

    async def drain(self) -> None:
        """Wait until all calls have ended, even if cancelled."""
        # Without calls, do not yield to the event loop: bytes that came with a response head might be lost.
        if self._done < self._submitted:
            await run_shielded(self._wait_for(self._submitted))

    def raise_error(self) -> None:
        """Raise the error of the call that failed, if any.

        Raises:
            DiskError: It was an `OSError`.
        """
        if isinstance(self._error, OSError):
            raise DiskError(self._error, self._path) from self._error
        if self._error is not None:
            raise self._error

    async def _wait_for(self, calls: int) -> None:
        while self._done < calls:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def _on_done(self, _: object, error: BaseException | None) -> None:
        self._done += 1
        self._error = error
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
