"""Fixtures of the speed tests, which run on every event loop."""

from __future__ import annotations

from tests.event_loops import LoopFactory, loop_factories


def pytest_asyncio_loop_factories() -> dict[str, LoopFactory]:
    """Return the event loops by name."""
    return loop_factories()
