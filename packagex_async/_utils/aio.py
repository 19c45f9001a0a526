"""Long computations on the event loop, divided into slices between which other tasks run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Generator
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


async def run_shielded(work: Awaitable[T]) -> T:
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
