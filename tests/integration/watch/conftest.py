"""An emulator and a client with a clock that counts polls."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.watching import Watched, open_watched


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    """Provide an empty emulator and a client."""
    async with open_watched() as watched:
        yield watched
