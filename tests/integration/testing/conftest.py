"""Fixtures: an empty emulator with an adjustable clock, and a signed URL."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from packagex_async.testing import Emulator
from tests.integration.testing.client import BODY, Clock


@pytest.fixture
def clock() -> Clock:
    """The clock of `server`."""
    return Clock()


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[Emulator]:
    """An empty emulator whose pages hold at most 3 exports."""
    async with Emulator(populate=False, now=clock, limit_cap=3) as running:
        yield running


@pytest.fixture
def url(server: Emulator) -> str:
    """A signed URL of an object of 2048 bytes."""
    export = server.add_export(content={"csv": BODY}, export_id="exp_one")
    return server.url_for(export.id, "csv")
