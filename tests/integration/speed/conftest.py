"""All tests run on the event loop of asyncio and, if installed, of uvloop."""

from __future__ import annotations

from tests.ways import LoopFactory, loop_factories


def pytest_asyncio_loop_factories() -> dict[str, LoopFactory]:
    """Return the event loops by name."""
    return loop_factories()
