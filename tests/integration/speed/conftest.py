"""Fixtures of the speed tests, which run on every event loop."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.event_loops import LoopFactory, loop_factories
from tests.faults.responses import (
    correct_response,
)
from tests.faults.scenario import RawStorageEmulator
from tests.faults.storage_server import (
    RawStorageServer,
    StoredObject,
)
from tests.integration.speed.slow_storage import CONTENT, SIZE, SlowDownloadScenario
from tests.transfer_modes import tune, use_transfer_mode


def pytest_asyncio_loop_factories() -> dict[str, LoopFactory]:
    """Return the event loops by name."""
    return loop_factories()


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use segments for small objects."""
    use_transfer_mode("buffer_reader", monkeypatch)
    tune(
        monkeypatch,
        parallel_min_size=SIZE,
        min_segment_size=10_000,
        min_segment_progress=1_000,
        settling_time=math.inf,
    )


@pytest.fixture
async def slow(tmp_path: Path, small_segments: None) -> AsyncIterator[SlowDownloadScenario]:
    """Provide an export whose CSV is on a slow storage server."""
    async with (
        RawStorageServer(StoredObject.of(CONTENT), correct_response) as storage,
        RawStorageEmulator(storage) as server,
    ):
        export = server.add_export(content={"csv": CONTENT})
        yield SlowDownloadScenario(
            server=server, folder=tmp_path, export_id=export.id, versions={"csv": [CONTENT]}, storage=storage
        )
