"""The calls on one file run in order, and stop after an error."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from packagex_async._files.disk_errors import DiskError
from packagex_async._files.executor import FileExecutor
from tests.unit.files.helpers import Gate


async def test_calls_run_one_after_another(executor: FileExecutor, tmp_path: Path) -> None:
    """`submit` returns when all earlier calls have ended."""
    writer = executor.ordered_writer(tmp_path)
    gate = Gate()
    done: list[int] = []
    await writer.submit(gate)
    rest = [asyncio.create_task(writer.submit(done.append, number)) for number in range(3)]
    await gate.wait_until_entered()
    assert (done, [task.done() for task in rest]) == ([], [False] * 3)
    gate.open.set()
    await asyncio.gather(*rest)
    await writer.drain()
    assert done == [0, 1, 2]


async def test_a_call_runs_even_if_its_task_is_cancelled(executor: FileExecutor, tmp_path: Path) -> None:
    """`drain` waits for its end."""
    writer = executor.ordered_writer(tmp_path)
    gate = Gate()
    done: list[int] = []
    await writer.submit(gate)
    task = asyncio.create_task(writer.submit(done.append, 1))
    await gate.wait_until_entered()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.open.set()
    await writer.drain()
    assert done == [1]


@pytest.mark.parametrize(("error", "raised"), [(OSError("full"), DiskError), (ValueError("no"), ValueError)])
async def test_after_an_error_no_other_call_runs(
    executor: FileExecutor, tmp_path: Path, error: Exception, raised: type[Exception]
) -> None:
    """All later calls raise the error. An `OSError` becomes a `DiskError`."""

    def fail() -> None:
        raise error

    writer = executor.ordered_writer(tmp_path)
    done: list[int] = []
    await writer.submit(fail)
    for _ in range(2):
        with pytest.raises(raised, match=str(error)):
            await writer.submit(done.append, 1)
    await writer.drain()
    with pytest.raises(raised, match=str(error)):
        writer.raise_error()
    assert done == []


async def test_without_threads_a_call_is_refused(tmp_path: Path) -> None:
    """`drain` does not wait for it."""
    executor = FileExecutor()
    writer = executor.ordered_writer(tmp_path)
    executor.close()
    with pytest.raises(DiskError, match="no thread can be started"):
        await writer.submit(print)
    await writer.drain()
