"""Time limits that end when a server is silent, and not after a time that a slow machine needs to respond."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web

from packagex_async.testing.server import reply
from tests.faults import storage_server

LIMIT = 3.0
"""Seconds of a limit that `TimeLimits` ends. With a longer one, 4 KB would be too few bytes for progress."""

LIMITED: dict[str, Any] = {"timeout": LIMIT, "stall_timeout": LIMIT}
"""The options of a client whose limits `TimeLimits` ends."""


class TimeLimits:
    """The running time limits of `LIMIT` seconds of one event loop.

    Args:
        loop: The event loop. Its timers are recorded from now on.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._time, self._call_at = loop.time, loop.call_at
        self._running: list[tuple[asyncio.TimerHandle, Callable[..., object], tuple[Any, ...]]] = []
        self._silent_connections = 0

    @contextmanager
    def record(self) -> Iterator[None]:
        """Record the timers of the event loop that are set in this block."""
        self._loop.call_at = self._record  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            del self._loop.call_at

    def count(self) -> int:
        """Return the number of running limits."""
        return len(self._find_running())

    def end(self) -> None:
        """End all running limits, as if their time was over."""
        for timer in self._running:
            self._loop.call_soon(self._run, *timer)
        self._running = []

    async def wait_until_running(self, count: int = 1) -> None:
        """Wait until this number of limits is running."""
        while self.count() < count:
            await asyncio.sleep(0)

    async def end_when_running(self, count: int = 1) -> None:
        """Wait until this number of limits is running, and end them."""
        await self.wait_until_running(count)
        self.end()

    async def end_while_silent(self, closed: Awaitable[object]) -> None:
        """Wait until the client closes a silent connection.

        All limits end as soon as there are as many as silent connections: the client waits for nothing else.
        """
        waiting = asyncio.ensure_future(closed)
        self._silent_connections += 1
        try:
            seen = self._find_running()
            # The client reads the bytes that were sent before.
            while not (await asyncio.wait([waiting], timeout=0.002))[0]:
                running = self._find_running()
                if running == seen and len(running) == self._silent_connections:
                    self.end()
                seen = running
        finally:
            self._silent_connections -= 1
            waiting.cancel()

    def _find_running(self) -> list[asyncio.TimerHandle]:
        self._running = [timer for timer in self._running if not timer[0].cancelled()]
        return [timer[0] for timer in self._running]

    def _record(
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        timer = self._call_at(when, callback, *args, context=context)
        if abs(when - self._loop.time() - LIMIT) < 0.5:
            self._running.append((timer, callback, args))
        return timer

    def _run(
        self, timer: asyncio.TimerHandle, callback: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        if timer.cancelled():
            return
        timer.cancel()
        later = self._time() + LIMIT
        self._loop.time = lambda: later  # type: ignore[method-assign]
        try:
            callback(*args)
        finally:
            del self._loop.time


@pytest.fixture
async def limits(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TimeLimits]:
    """Provide the limits of `LIMIT` seconds. They end while the emulator or the raw storage server stalls."""
    limits = TimeLimits(asyncio.get_running_loop())

    async def hold(request: web.BaseRequest, closing: asyncio.Event) -> None:
        await limits.end_while_silent(_wait_until_closed(request, closing))

    async def stall(reader: asyncio.StreamReader) -> None:
        await limits.end_while_silent(reader.read())

    monkeypatch.setattr(reply, "_hold", hold)
    monkeypatch.setattr(storage_server, "wait_for_end", stall)
    with limits.record():
        yield limits


async def _wait_until_closed(request: web.BaseRequest, closing: asyncio.Event) -> None:
    while request.transport is not None and not closing.is_set():
        await asyncio.sleep(0)
