"""Blocking calls on one file, in order, on a thread."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import ParamSpec

from packagex_async._files.disk_errors import DiskError, disk_errors
from packagex_async._files.ordered_calls import CallQueue
from packagex_async._utils.aio import run_shielded

P = ParamSpec("P")


class OrderedWriter:
    """Calls that work on one file, in turn; after one that fails, no other is made.

    A turn of the event loop between two of them would cost a large file as much time as its writing.

    Args:
        path: What the calls work on.
        pool: The threads.
    """

    def __init__(self, path: Path, pool: futures.ThreadPoolExecutor) -> None:
        self._path = path
        self._row = CallQueue(pool)
        self._given = self._ended = 0
        self._failure: Exception | None = None
        self._waiters: list[asyncio.Future[None]] = []

    async def put(self, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Have `function` called when its turn comes; return when all calls before it have ended.

        Raises:
            DiskError: One of those raised an `OSError`, or there is no thread for it.
        """
        before = self._given
        call = functools.partial(self._call, functools.partial(function, *args, **kwargs))
        with disk_errors(self._path):
            self._row.add(call, self._tell)
        self._given += 1
        await self._end_of(before)
        self.check()

    async def settle(self) -> None:
        """Wait, even when cancelled, until all calls have ended."""
        # Where there is none, not even for a moment: bytes that came with an answer's head might be lost.
        if self._ended < self._given:
            await run_shielded(self._end_of(self._given))

    def check(self) -> None:
        """Raise what a call has raised.

        Raises:
            DiskError: It was an `OSError`.
        """
        if isinstance(self._failure, OSError):
            raise DiskError(self._failure, self._path) from self._failure
        if self._failure is not None:
            raise self._failure

    def _call(self, function: Callable[[], object]) -> None:
        try:
            if self._failure is None:
                function()
        except Exception as error:
            self._failure = error

    async def _end_of(self, calls: int) -> None:
        while self._ended < calls:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def _tell(self) -> None:
        self._ended += 1
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
