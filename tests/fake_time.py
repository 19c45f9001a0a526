"""An emulator and exports that use a fake clock."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from packagex_async import AsyncExports
from packagex_async.testing import Emulator, Life
from tests.support import FakeClock, open_exports


@pytest.fixture
def clock() -> FakeClock:
    """Provide a clock that always adds the largest jitter."""
    return FakeClock(jitter_fraction=1.0)


@pytest.fixture
async def server(clock: FakeClock) -> AsyncIterator[Emulator]:
    """Provide an empty emulator that uses the clock of the client."""
    life = Life(queued=3, processing=20, rows=40)
    async with Emulator(populate=False, now=clock.time, life=life) as server:
        yield server


@pytest.fixture
async def exports(clock: FakeClock, server: Emulator) -> AsyncIterator[AsyncExports]:
    """Provide the exports of that emulator."""
    async with open_exports(clock, server) as exports:
        yield exports
