"""The emulator on a thread of its own, for tests and scripts that have no event loop to lend it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Generator

from packagex_async.testing.emulator import Emulator


@contextlib.contextmanager
def serve_in_thread(server: Emulator) -> Generator[Emulator, None, None]:
    """Run `server` beside the caller: it answers while the caller, or the caller's own loop, is busy.

    Args:
        server: An emulator that has not been started; it is closed at the end of the block.

    Returns:
        The same emulator, listening.
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
