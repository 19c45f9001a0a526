"""Run the emulator in a separate thread, for tests and scripts without an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Generator

from packagex_async.testing.emulator import Emulator


@contextlib.contextmanager
def serve_in_thread(server: Emulator) -> Generator[Emulator, None, None]:
    """Run `server` in a separate thread with its own event loop.

    The emulator answers even while the caller, or the caller's event loop, is blocked.

    Args:
        server: An emulator that has not been started. It is closed at the end of the block.

    Returns:
        A context manager that yields the started emulator.
    """
    with _loop_in_thread() as loop:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result()
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server.aclose(), loop).result()


@contextlib.contextmanager
def _loop_in_thread() -> Generator[asyncio.AbstractEventLoop, None, None]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="packagex-emulator", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
