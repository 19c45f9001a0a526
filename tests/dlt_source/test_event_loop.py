"""A coroutine runs in the event loop of a thread until the block ends."""

from __future__ import annotations

import asyncio
import signal
import threading

import pytest

pytest.importorskip("dlt")
from packagex_async.integrations.dlt.event_loop import EventLoopThread


async def answer() -> tuple[int, str]:
    return 42, threading.current_thread().name


def test_coroutine_is_cancelled() -> None:
    """At the end of the block, the coroutine is cancelled, and may clean up."""
    events: list[str] = []

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            events.append("clean")

    with EventLoopThread(main()) as loop:
        assert loop.run(answer()) == (42, "packagex-dlt")
    assert events == ["clean"]
    assert "packagex-dlt" not in {thread.name for thread in threading.enumerate()}


def test_error_of_coroutine() -> None:
    """The error of a coroutine is raised in the calling thread."""

    async def fail() -> None:
        raise TimeoutError("too late")

    with pytest.raises(TimeoutError, match="too late"), EventLoopThread(fail()) as loop:
        loop.run(fail())


def test_signal() -> None:
    """A signal that dlt received ends the wait."""
    from dlt.common.exceptions import SignalReceivedException
    from dlt.common.runtime import signals

    async def main() -> None:
        signals.set_received_signal(signal.SIGINT)
        await asyncio.Event().wait()

    try:
        with pytest.raises(SignalReceivedException), EventLoopThread(main()) as loop:
            loop.run(asyncio.Event().wait())
    finally:
        signals._clear_signals()
