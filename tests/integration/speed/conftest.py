"""Every test here runs on asyncio's own loop and, where uvloop is there, on uvloop's."""

from __future__ import annotations

from tests.ways import LoopFactory, loop_factories


def pytest_asyncio_loop_factories() -> dict[str, LoopFactory]:
    """The loops by name."""
    return loop_factories()
