"""Disk work on threads of its own: neither the event loop nor the default executor waits for a disk."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

import aiofiles.os

from packagex_async._files import Measured, measure

P = ParamSpec("P")
T = TypeVar("T")


class DiskError(Exception):
    """The disk refused; `cause` is what the operating system said, `path` what it was about."""

    def __init__(self, cause: OSError, path: Path) -> None:
        super().__init__(cause.strerror or str(cause))
        self.cause = cause
        self.path = path


class Disk:
    """The threads that work on files.

    Args:
        threads: How many there are for long work. Short work has one of its own: there several would spend
            more time on taking turns than on the disk.
    """

    def __init__(self, threads: int = 4) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="packagex-disk")
        self._short = ThreadPoolExecutor(1, thread_name_prefix="packagex-disk-short")

    async def run(self, path: Path, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function`, which works on `path`, in a thread, to its end even when cancelled.

        Raises:
            DiskError: It raised an `OSError`.
        """
        return await _run(self._pool, path, functools.partial(function, *args, **kwargs))

    async def run_short(self, path: Path, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for work that is over in a moment: a small file, a look at a name.

        Raises:
            DiskError: It raised an `OSError`.
        """
        return await _run(self._short, path, functools.partial(function, *args, **kwargs))

    async def measure(self, path: Path, algorithms: Iterable[str]) -> Measured | None:
        """The length and digests of the regular file at `path`, or `None` when nothing is there.

        Raises:
            DiskError: It cannot be read, or is no regular file.
        """
        return await self.run(path, measure, path, tuple(algorithms))

    def close(self) -> None:
        """Let the threads go; idempotent."""
        self._pool.shutdown(wait=False)
        self._short.shutdown(wait=False)


async def _run(pool: ThreadPoolExecutor, path: Path, work: Callable[[], T]) -> T:
    try:
        return await outlive(aiofiles.os.wrap(work)(executor=pool))
    except OSError as error:
        failure = DiskError(error, path)
    raise failure from failure.cause


async def outlive(work: Awaitable[T]) -> T:
    """The result of thread work, waited for even when cancelled: a thread is outlived, never interrupted."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError as error:
        cancelled = error
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    task.exception()
    raise cancelled
