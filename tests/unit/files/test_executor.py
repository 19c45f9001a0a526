"""File operations run in threads, to their end."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import threading
import weakref
from pathlib import Path

import pytest

from packagex_async._files.disk_errors import DiskError
from packagex_async._files.executor import FileExecutor
from tests.unit.files.helpers import Gate


async def test_a_call_returns_its_result_or_raises_its_error(executor: FileExecutor, tmp_path: Path) -> None:
    """An `OSError` becomes a `DiskError` with the path; other errors are raised unchanged."""
    for run in (executor.run, executor.run_short):
        assert await run(tmp_path, divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await run(tmp_path, divmod, 7, 0)
        with pytest.raises(DiskError) as caught:
            await run(tmp_path, os.stat, tmp_path / "absent")
        assert isinstance(caught.value.__cause__, FileNotFoundError)
        assert caught.value.cause is caught.value.__cause__
        assert caught.value.path == tmp_path


async def test_calls_run_in_other_threads(executor: FileExecutor, tmp_path: Path) -> None:
    """The event loop is not blocked."""
    for run in (executor.run, executor.run_short):
        assert await run(tmp_path, threading.get_ident) != threading.get_ident()


async def test_a_cancelled_short_call_ends_first(executor: FileExecutor, tmp_path: Path) -> None:
    """The task ends as cancelled. Other tasks, whose calls end later, are not affected."""
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    first, second = Gate(), Gate()
    task = asyncio.create_task(executor.run_short(tmp_path, first))
    await first.wait_until_entered()
    last = asyncio.create_task(executor.run_short(tmp_path, second))
    await second.wait_until_entered()
    first.open.set()
    # The event loop has not processed the end of the first call yet.
    task.cancel()
    assert not last.done()
    second.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await last
    assert failures == []


class _Data(bytearray):
    """Bytes that support weak references."""


async def test_an_error_does_not_keep_the_data_of_its_call(executor: FileExecutor, tmp_path: Path) -> None:
    """A report with many errors needs no memory for what could not be written."""
    written: list[weakref.ref[_Data]] = []

    def write() -> None:
        data = _Data(b"data")
        written.append(weakref.ref(data))
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    causes = []
    for run in (executor.run, executor.run_short):
        with pytest.raises(DiskError) as caught:
            await run(tmp_path, write)
        causes.append(caught.value.cause)
        del caught
    gc.collect()
    assert [cause.errno for cause in causes] == [errno.EACCES] * 2
    assert [data() for data in written] == [None, None]


async def test_the_error_of_a_cancelled_call_is_discarded(executor: FileExecutor, tmp_path: Path) -> None:
    """The task ends as cancelled, and asyncio does not log an exception that was never retrieved."""
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    gate = Gate()

    def fail() -> None:
        gate()
        raise OSError("full")

    task = asyncio.create_task(executor.run(tmp_path, fail))
    await gate.wait_until_entered()
    task.cancel()
    await asyncio.sleep(0)
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert failures == []
