"""Disk work on threads of its own: neither the event loop nor the default executor waits for a disk."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable
from concurrent import futures
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from packagex_async._files.disk_errors import disk_errors
from packagex_async._files.operations import FileDigest, measure
from packagex_async._files.ordered_calls import CallQueue
from packagex_async._files.ordered_writer import OrderedWriter
from packagex_async._files.thread_pool import ThreadPool
from packagex_async._utils.aio import run_shielded

P = ParamSpec("P")
T = TypeVar("T")

_SHORT = 2


class FileExecutor:
    """The threads that work on files.

    Args:
        threads: How many there are for long work. Short work has two of its own: to wake a thread
            costs more than what is done in it.
    """

    def __init__(self, threads: int = 4) -> None:
        self._pool = ThreadPool(threads, thread_name_prefix="packagex-disk")
        self._short = ThreadPool(_SHORT, thread_name_prefix="packagex-disk-short")
        self._row = CallQueue(self._short, _SHORT)

    async def run(self, path: Path, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function`, which works on `path`, in a thread, to its end even when cancelled.

        Raises:
            DiskError: It raised an `OSError`, or there is no thread for it.
        """
        work = functools.partial(function, *args, **kwargs)
        with disk_errors(path):
            return await run_shielded(_on_a_thread(self._pool, work))

    async def run_short(self, path: Path, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for work that is over in a moment: a small file, a look at a name.

        Raises:
            DiskError: It raised an `OSError`, or there is no thread for it.
        """
        job = _Job(functools.partial(function, *args, **kwargs))
        with disk_errors(path):
            self._row.add(job.do, job.tell)
            return cast(T, await job.ended())

    async def measure(self, path: Path, algorithms: Iterable[str]) -> FileDigest | None:
        """The length and digests of the regular file at `path`, or `None` when nothing is there.

        Raises:
            DiskError: It cannot be read, or is no regular file.
        """
        return await self.run(path, measure, path, tuple(algorithms))

    def lane(self, path: Path) -> OrderedWriter:
        """A row of calls that work on `path`."""
        return OrderedWriter(path, self._pool)

    def close(self) -> None:
        """Let the threads go; idempotent."""
        self._pool.shutdown(wait=False)
        self._short.shutdown(wait=False)


class _Job:
    """Short work, and who waits for its end."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._result: object = None
        self._error: BaseException | None = None
        self._told = False
        self._waiter = _future()

    def do(self) -> None:
        """Do it, on whatever thread."""
        try:
            self._result = self._work()
        except BaseException as error:
            self._error = error

    def tell(self) -> None:
        """Tell that it is done, on the event loop."""
        self._told = True
        if not self._waiter.done():
            self._waiter.set_result(None)

    async def ended(self) -> object:
        """What came of it, waited for even when cancelled.

        For what is over in a moment, `run_shielded` would be most of the work.
        """
        cancelled = None
        while not self._told:
            try:
                await self._waiter
            except asyncio.CancelledError as error:
                cancelled = cancelled or error
                self._waiter = _future()
        if cancelled is not None:
            raise cancelled
        if self._error is not None:
            raise self._error
        return self._result


def _future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


async def _on_a_thread(pool: futures.ThreadPoolExecutor, work: Callable[[], T]) -> T:
    # Who only lists exports does not wait for it to be imported.
    import aiofiles.os

    return await aiofiles.os.wrap(work)(executor=pool)
