"""Disk work on threads of its own: neither the event loop nor the default executor waits for a disk."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent import futures
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from packagex_async._files import Measured, measure

P = ParamSpec("P")
T = TypeVar("T")

_BATCH = 16
"""The most jobs that go to a thread together."""


class DiskError(Exception):
    """The disk refused; `cause` is what the operating system said, `path` what it was about."""

    def __init__(self, cause: OSError, path: Path) -> None:
        super().__init__(cause.strerror or str(cause))
        self.cause = cause
        self.path = path


class Disk:
    """The threads that work on files.

    Args:
        threads: How many there are for long work. Short work has one of its own, and goes there in batches:
            each turn of a thread costs more than what is done in it.
    """

    def __init__(self, threads: int = 4) -> None:
        self._pool = futures.ThreadPoolExecutor(threads, thread_name_prefix="packagex-disk")
        self._short = futures.ThreadPoolExecutor(1, thread_name_prefix="packagex-disk-short")
        self._batch: list[_Job] = []
        self._draining: asyncio.Task[None] | None = None

    async def run(self, path: Path, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function`, which works on `path`, in a thread, to its end even when cancelled.

        Raises:
            DiskError: It raised an `OSError`.
        """
        work = functools.partial(function, *args, **kwargs)
        return await _told_of(path, _on_a_thread(self._pool, work))

    async def run_short(self, path: Path, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for work that is over in a moment: a small file, a look at a name.

        Raises:
            DiskError: It raised an `OSError`.
        """
        job = _Job(functools.partial(function, *args, **kwargs))
        self._batch.append(job)
        if self._draining is None:
            self._draining = asyncio.create_task(outlive(self._drain()))
        return cast(T, await _told_of(path, job.done))

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

    async def _drain(self) -> None:
        while batch := self._batch[:_BATCH]:
            del self._batch[:_BATCH]
            await _on_a_thread(self._short, functools.partial(_do, batch))
            for job in batch:
                job.tell()
        self._draining = None


class _Job:
    """Short work, and the future of its result."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._result: object = None
        self._error: BaseException | None = None
        self.done: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def do(self) -> None:
        """Do it, on whatever thread."""
        try:
            self._result = self._work()
        except BaseException as error:
            self._error = error

    def tell(self) -> None:
        """Tell what came of it, on the event loop."""
        if self._error is not None:
            self.done.set_exception(self._error)
        else:
            self.done.set_result(self._result)


def _do(batch: Sequence[_Job]) -> None:
    for job in batch:
        job.do()


def _on_a_thread(pool: futures.ThreadPoolExecutor, work: Callable[[], T]) -> Awaitable[T]:
    # Who only lists exports does not wait for it to be imported.
    import aiofiles.os

    return aiofiles.os.wrap(work)(executor=pool)


async def _told_of(path: Path, work: Awaitable[T]) -> T:
    try:
        return await outlive(work)
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
