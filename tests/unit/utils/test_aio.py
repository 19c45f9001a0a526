"""Long computations let other tasks run, and shielded work ends before its task does."""

from __future__ import annotations

import asyncio

import pytest

from packagex_async._utils.aio import Slices, run_in_slices, run_shielded


async def test_other_tasks_run_between_slices() -> None:
    """The result of the computation is returned."""
    order = list[str]()

    def compute(name: str) -> Slices[str]:
        for number in range(2):
            order.append(f"{name}{number}")
            yield
        return name

    results = await asyncio.gather(run_in_slices(compute("a")), run_in_slices(compute("b")))
    assert list(results) == ["a", "b"]
    assert order == ["a0", "b0", "a1", "b1"]


async def test_the_result_or_error_of_shielded_work_is_passed_on() -> None:
    """Without a cancellation."""

    async def fail() -> None:
        raise ValueError("no")

    assert await run_shielded(asyncio.sleep(0, 7)) == 7
    with pytest.raises(ValueError, match="no"):
        await run_shielded(fail())


@pytest.mark.parametrize("fails", [False, True])
async def test_shielded_work_ends_before_a_cancellation_is_raised(fails: bool) -> None:
    """However often the task is cancelled. An error of the work is discarded."""
    gate = asyncio.Event()
    ended = False

    async def work() -> None:
        nonlocal ended
        await gate.wait()
        ended = True
        if fails:
            raise OSError("full")

    task = asyncio.create_task(run_shielded(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended
