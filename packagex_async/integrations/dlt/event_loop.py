"""An event loop in a thread, for the synchronous code of dlt."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, wait
from types import TracebackType
from typing import Any, Self, TypeVar

from dlt.common.runtime.signals import raise_if_signalled

T = TypeVar("T")

_SIGNAL_INTERVAL = 0.5
"""Seconds after which a waiting thread looks for a signal that dlt received."""


class EventLoopThread:
    """A context manager that runs a coroutine in the event loop of a separate thread.

    The calling thread may run an event loop itself. On exit, the coroutine is cancelled and awaited.

    Args:
        main: The coroutine.
    """

    def __init__(self, main: Coroutine[Any, Any, None]) -> None:
        self._main = main
        self._loops: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._run_loop, name="packagex-dlt", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._loop = self._loops.result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._cancel(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine, and return its result.

        Raises:
            SignalReceivedException: dlt received a signal that ends the process.
        """
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        while not wait([future], timeout=_SIGNAL_INTERVAL).done:
            raise_if_signalled()
        return future.result()

    def _run_loop(self) -> None:
        # On exit, the runner ends the threads of the loop.
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            self._task = loop.create_task(self._main)
            self._loops.set_result(loop)
            loop.run_forever()

    async def _cancel(self) -> None:
        # The runner would also cancel the tasks that clean up.
        self._task.cancel()
        await asyncio.wait([self._task])
