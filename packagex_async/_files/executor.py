"""The threads for file operations, separate from the default executor of the event loop."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from packagex_async._files.call_queue import CallQueue
from packagex_async._files.disk_errors import DiskError, wrap_os_errors
from packagex_async._files.ordered_writer import OrderedWriter
from packagex_async._files.thread_pool import ThreadPool
from packagex_async._utils.aio import run_shielded

P = ParamSpec("P")
T = TypeVar("T")

_INTERVAL = 0.01
"""Seconds. If the outcome of each call is reported at once, 2,000 files of 20 KiB take a quarter longer."""


class FileExecutor:
    """Runs blocking file operations in threads.

    Args:
        threads: The number of threads for long operations. Short ones have as many more threads, so they do
            not wait for long ones.
    """

    def __init__(self, threads: int = 4) -> None:
        self._pool = ThreadPool(threads, thread_name_prefix="packagex-disk")
        self._short_pool = ThreadPool(threads, thread_name_prefix="packagex-disk-short")
        self._short_calls = CallQueue(self._short_pool, max_threads=threads, interval=_INTERVAL)

    async def run(self, path: Path, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function`, which works on `path`, in a thread, and wait for its end even if cancelled.

        Raises:
            DiskError: It raised an `OSError`, or no thread is available.
        """
        call = functools.partial(function, *args, **kwargs)
        with wrap_os_errors(path):
            return await run_shielded(_run_in_thread(self._pool, call))

    async def run_short(self, path: Path, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a short `function`, such as writing a small file or examining a path, in the same way.

        Raises:
            DiskError: It raised an `OSError`, or no thread is available.
        """
        outcome = _Outcome()
        # `wrap_os_errors` would take several percent of the time of a short call.
        try:
            self._short_calls.add(functools.partial(function, *args, **kwargs), outcome.set)
            return cast(T, await outcome.wait())
        except OSError as error:
            failure = DiskError(error, path)
        raise failure from failure.cause

    def ordered_writer(self, path: Path) -> OrderedWriter:
        """Return a writer whose calls on `path` run one after another."""
        return OrderedWriter(path, self._pool)

    def close(self) -> None:
        """Release the threads; idempotent."""
        self._pool.shutdown(wait=False)
        self._short_pool.shutdown(wait=False)


class _Outcome:
    """The outcome of a short call."""

    def __init__(self) -> None:
        self._is_set = False
        self._result: object = None
        self._error: BaseException | None = None
        self._waiter = _new_future()

    def set(self, result: object, error: BaseException | None) -> None:
        """Store the result or the error, and wake up the waiting task."""
        self._result, self._error, self._is_set = result, error, True
        if not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> object:
        """Return the result, or raise the error; wait for it even if cancelled.

        `run_shielded` would take longer than a short call itself.
        """
        cancelled = None
        while not self._is_set:
            try:
                await self._waiter
            except asyncio.CancelledError as error:
                cancelled = cancelled or error
                self._waiter = _new_future()
        if cancelled is not None:
            raise cancelled
        if self._error is not None:
            try:
                raise self._error
            finally:
                # The traceback refers to this object: break the reference cycle.
                self._error = None
        return self._result


def _new_future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


async def _run_in_thread(pool: futures.ThreadPoolExecutor, call: Callable[[], T]) -> T:
    # Imported at the first use, since listing exports does not need it.
    import aiofiles.os

    return await aiofiles.os.wrap(call)(executor=pool)
