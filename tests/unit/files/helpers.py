"""File operations that wait until a test lets them continue."""

from __future__ import annotations

import asyncio
import threading


class Gate:
    """A blocking call that waits until `open` is set."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        assert self.open.wait(120)

    async def wait_until_entered(self) -> None:
        """Wait until a thread runs the call."""
        await asyncio.to_thread(self.entered.wait, 30)
