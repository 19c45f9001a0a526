"""Disk work on threads of its own: neither the event loop nor the default executor waits for a disk."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Generator, Iterable
from concurrent import futures
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from packagex_async._files.operations import Measured, measure
from packagex_async._files.ordered_calls import Row
from packagex_async._files.thread_pool import ThreadPool

P = ParamSpec("P")
T = TypeVar("T")

_SHORT = 2


class DiskError(Exception):
    """The disk refused; `cause` is what the operating system said, `path` what it was about."""

    def __init__(self, cause: OSError, path: Path) -> None:
        super().__init__(cause.strerror or str(cause))
        self.cause = cause
        self.path = path


class Disk:
    """The threads that work on files.

    Args:
        threads: How many there are for long work. Short work has two of its own: to wake a thread
            costs more than what is done in it.
    """

    def __init__(self, threads: int = 4) -> None:
        self._pool = ThreadPool(threads, thread_name_prefix="packagex-disk")
        self._short = ThreadPool(_SHORT, thread_name_prefix="packagex-disk-short")
        self._row = Row(self._short, _SHORT)

    async def run(self, path: Path, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function`, which works on `path`, in a thread, to its end even when cancelled.

        Raises:
            DiskError: It raised an `OSError`, or there is no thread for it.
        """
        work = functools.partial(function, *args, **kwargs)
        with _disk_errors(path):
            return await outlive(_on_a_thread(self._pool, work))

    async def run_short(self, path: Path, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for work that is over in a moment: a small file, a look at a name.

        Raises:
            DiskError: It raised an `OSError`, or there is no thread for it.
        """
        job = _Job(functools.partial(function, *args, **kwargs))
        with _disk_errors(path):
            self._row.add(job.do, job.tell)
            return cast(T, await job.ended())

    async def measure(self, path: Path, algorithms: Iterable[str]) -> Measured | None:
        """The length and digests of the regular file at `path`, or `None` when nothing is there.

        Raises:
            DiskError: It cannot be read, or is no regular file.
        """
        return await self.run(path, measure, path, tuple(algorithms))

    def lane(self, path: Path) -> Lane:
        """A row of calls that work on `path`."""
        return Lane(path, self._pool)

    def close(self) -> None:
        """Let the threads go; idempotent."""
        self._pool.shutdown(wait=False)
        self._short.shutdown(wait=False)


class Lane:
    """Calls that work on one file, in turn; after one that fails, no other is made.

    A turn of the event loop between two of them would cost a large file as much time as its writing.

    Args:
        path: What the calls work on.
        pool: The threads.
    """

    def __init__(self, path: Path, pool: futures.ThreadPoolExecutor) -> None:
        self._path = path
        self._row = Row(pool)
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
        with _disk_errors(self._path):
            self._row.add(call, self._tell)
        self._given += 1
        await self._end_of(before)
        self.check()

    async def settle(self) -> None:
        """Wait, even when cancelled, until all calls have ended."""
        # Where there is none, not even for a moment: bytes that came with an answer's head might be lost.
        if self._ended < self._given:
            await outlive(self._end_of(self._given))

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
            waiter = _future()
            self._waiters.append(waiter)
            await waiter

    def _tell(self) -> None:
        self._ended += 1
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


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

        For what is over in a moment, `outlive` would be most of the work.
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


@contextlib.contextmanager
def _disk_errors(path: Path) -> Generator[None, None, None]:
    """Raise a `DiskError` about `path` for an `OSError`."""
    try:
        yield
    except OSError as error:
        failure = DiskError(error, path)
        raise failure from error


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
