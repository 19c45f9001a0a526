"""A process that may start no further threads works with those that it has."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from packagex_async._files.disk_errors import DiskError
from packagex_async._files.executor import FileExecutor
from packagex_async._files.thread_pool import ThreadPool


def none_left(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_the_threads_there_are_do_all_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing fails while one is at work."""
    with ThreadPool(4) as pool:
        gate = threading.Event()
        first = pool.submit(gate.wait)
        monkeypatch.setattr(threading.Thread, "start", none_left)
        others = [pool.submit(int, number) for number in range(9)]
        gate.set()
        assert first.result(30)
        assert [other.result(30) for other in others] == list(range(9))


def test_without_any_thread_a_call_is_refused_and_never_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even later, when there is one."""
    made: list[str] = []
    with ThreadPool(4) as pool:
        with monkeypatch.context() as limited:
            limited.setattr(threading.Thread, "start", none_left)
            with pytest.raises(OSError, match="no thread can be started: can't start new thread"):
                pool.submit(made.append, "refused")
        pool.submit(made.append, "accepted").result(30)
    assert made == ["accepted"]


async def test_every_kind_of_disk_work_is_refused_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an error of the disk; when threads can be had again, the work goes on."""
    disk = FileExecutor()
    ordered_writer = disk.ordered_writer(tmp_path)
    done: list[int] = []
    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", none_left)
        for work in (
            disk.run(tmp_path, int),
            disk.run_short(tmp_path, int),
            ordered_writer.submit(done.append, 0),
        ):
            with pytest.raises(DiskError, match="no thread can be started"):
                await work
    assert await disk.run(tmp_path, int) == await disk.run_short(tmp_path, int) == 0
    await ordered_writer.submit(done.append, 1)
    await ordered_writer.drain()
    assert done == [1]
    disk.close()
