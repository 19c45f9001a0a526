"""Helpers for coroutines: long computations in slices, and awaits that outlast a cancellation."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Generator
from typing import TypeVar

T = TypeVar("T")

Slices = Generator[None, None, T]
"""A computation that yields wherever it may be interrupted, and returns its result."""


async def run_in_slices(slices: Slices[T]) -> T:
    """Return the result of `slices`; other tasks run after each of its slices."""
    while True:
        try:
            next(slices)
        except StopIteration as end:
            result: T = end.value
            return result
        await asyncio.sleep(0)


async def run_shielded(work: Awaitable[T], on_cancel: Callable[[], object] | None = None) -> T:
    """Return the result of `work`, and wait for its end even if cancelled.

    Use it for work in a thread, which cannot be interrupted. After a cancellation the result or error of
    `work` is discarded.

    Args:
        work: The work.
        on_cancel: Called at a cancellation, so that the work can end early.

    Raises:
        asyncio.CancelledError: The caller was cancelled; `work` has ended.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError as error:
        cancelled = error
    if on_cancel is not None:
        on_cancel()
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    # Marks an exception as retrieved, so that asyncio does not log it.
    task.exception()
    raise cancelled
