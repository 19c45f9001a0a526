"""A process that cannot start more threads uses those that it has."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from packagex_async._files.disk_errors import DiskError
from packagex_async._files.executor import FileExecutor
from packagex_async._files.thread_pool import ThreadPool


def refuse(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_the_existing_threads_run_all_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread is enough."""
    with ThreadPool(4) as pool:
        gate = threading.Event()
        first = pool.submit(gate.wait)
        monkeypatch.setattr(threading.Thread, "start", refuse)
        others = [pool.submit(int, number) for number in range(9)]
        gate.set()
        assert first.result(30)
        assert [other.result(30) for other in others] == list(range(9))


def test_without_a_thread_a_call_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not run later, when a thread can be started again."""
    called: list[str] = []
    with ThreadPool(4) as pool:
        with monkeypatch.context() as limited:
            limited.setattr(threading.Thread, "start", refuse)
            with pytest.raises(OSError, match="no thread can be started: can't start new thread"):
                pool.submit(called.append, "refused")
        pool.submit(called.append, "accepted").result(30)
    assert called == ["accepted"]


async def test_without_a_thread_file_operations_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a `DiskError`. They work again as soon as a thread can be started."""
    executor = FileExecutor()
    writer = executor.ordered_writer(tmp_path)
    done: list[int] = []
    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", refuse)
        for work in (
            executor.run(tmp_path, int),
            executor.run_short(tmp_path, int),
            writer.submit(done.append, 0),
        ):
            with pytest.raises(DiskError, match="no thread can be started"):
                await work
    assert await executor.run(tmp_path, int) == await executor.run_short(tmp_path, int) == 0
    await writer.submit(done.append, 1)
    await writer.drain()
    assert done == [1]
    executor.close()
