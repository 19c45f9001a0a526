"""The running operations of a client. Closing the client ends each of them with a `ClientClosedError`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import TracebackType
from typing import Any, TypeVar

from packagex_async.errors import ClientClosedError, ConfigurationError

T = TypeVar("T")


class Operations:
    """The running operations of a client. A client belongs to one event loop in one process.

    Attributes:
        closed: Whether the client was closed; no operation starts afterwards.
    """

    def __init__(self) -> None:
        self.closed: bool = False
        self._running: dict[asyncio.Task[object], _Running] = {}
        self._owner: tuple[asyncio.AbstractEventLoop, int] | None = None
        self._waiters: list[asyncio.Future[None]] = []

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a client cannot be pickled: create a client in each process")

    def running(self, name: str) -> _Running:
        """Return a context manager for one operation, or for one step of a generator.

        An operation inside another operation of the same task is part of it.

        Args:
            name: The name of the operation in error messages.
        """
        return _Running(self, name)

    async def steps(self, name: str, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """Yield each item of `items`. Each step is an operation; no operation runs between two steps."""
        async with aclosing(items):
            while True:
                with self.running(name):
                    try:
                        item = await anext(items)
                    except StopAsyncIteration:
                        return
                yield item

    def check_open(self) -> None:
        """Check that an operation may start.

        Raises:
            ClientClosedError: The client was closed.
            ConfigurationError: The client belongs to another event loop or process.
        """
        if self.closed:
            raise ClientClosedError("the client is closed: use it inside its `async with` block")
        self._check_owner()

    def is_interrupted(self) -> bool:
        """Whether the current task was cancelled because the client is closing, and for no other reason."""
        running = self._current()
        return running is not None and running.is_interrupted()

    def is_abandoned(self) -> bool:
        """Whether the owning event loop is closed, or belongs to the parent process."""
        if self._owner is None:
            return False
        loop, process = self._owner
        return process != os.getpid() or loop.is_closed()

    async def close(self) -> None:
        """End all running operations and wait until they have cleaned up. Idempotent.

        An operation of the current task continues: see `end_current`.

        Raises:
            ConfigurationError: The client belongs to another event loop or process.
        """
        if self._owner is not None:
            self._check_owner()
        self.closed = True
        current = asyncio.current_task()
        for task, running in self._running.items():
            if task is not current:
                running.interrupt()
        while self._running.keys() - {current}:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    async def end_current(self) -> None:
        """End the operation of the current task, if the client was closed from within it."""
        if running := self._current():
            running.interrupt()
            await asyncio.sleep(0)

    def _current(self) -> _Running | None:
        task = asyncio.current_task()
        return self._running.get(task) if task else None

    def _check_owner(self) -> None:
        loop, process = asyncio.get_running_loop(), os.getpid()
        if self._owner is None:
            self._owner = loop, process
        elif self._owner[1] != process:
            raise ConfigurationError(
                "the client was created by the parent process and cannot be used after a fork: "
                "create a client in each process"
            )
        elif self._owner[0] is not loop:
            raise ConfigurationError(
                "the client belongs to another event loop or thread: create a client for each event loop"
            )

    def enter(self, running: _Running) -> asyncio.Task[object] | None:
        """Register an operation; return its task, or `None` if it is part of another operation."""
        self.check_open()
        task = asyncio.current_task()
        if task is None or task in self._running:
            return None
        self._running[task] = running
        return task

    def leave(self, task: asyncio.Task[object]) -> None:
        """Remove the operation of a task."""
        del self._running[task]
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class _Running:
    """A running operation. It counts cancellations as `asyncio.timeout` does."""

    __slots__ = ("_cancelling", "_interrupted", "_name", "_operations", "_task")

    def __init__(self, operations: Operations, name: str) -> None:
        self._operations = operations
        self._name = name
        self._interrupted = False

    def __enter__(self) -> None:
        self._task = self._operations.enter(self)
        self._cancelling = self._task.cancelling() if self._task else 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is None:
            return
        self._operations.leave(self._task)
        if not self._interrupted:
            return
        cancelled_by_others = self._task.uncancel() > self._cancelling
        if kind is asyncio.CancelledError and not cancelled_by_others:
            raise ClientClosedError(f"the client was closed while {self._name} was running") from None

    def interrupt(self) -> None:
        """Cancel the operation, unless it was interrupted before."""
        if self._task is not None and not self._interrupted:
            self._interrupted = True
            self._task.cancel()

    def is_interrupted(self) -> bool:
        """Whether the operation was interrupted, and not cancelled for another reason."""
        return (
            self._interrupted and self._task is not None and self._task.cancelling() <= self._cancelling + 1
        )
