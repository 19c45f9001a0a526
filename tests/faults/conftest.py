"""Fixtures of the fault cases. Each case runs on every event loop and in every transfer mode.

All modes run on the event loop of asyncio, and one mode of each case on uvloop, selected by a hash.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from packagex_async import Artifact
from packagex_async.testing import Emulator
from tests.event_loops import LoopFactory, loop_factories
from tests.faults.responses import correct_response
from tests.faults.scenario import DownloadScenario, RawDownloadScenario, RawStorageEmulator
from tests.faults.storage_server import RawStorageServer, StoredObject
from tests.transfer_modes import TRANSFER_MODES, use_transfer_mode

FOLDER = Path(__file__).parent
SIZE = 100_000

PIPED_FAMILIES = {
    f"test_{name}.py"
    for name in (
        "cancellation",
        "closing",
        "concurrency",
        "disk",
        "expiry",
        "framing",
        "ranges",
        "redirects",
        "stalls",
        "transport",
    )
}
"""The families that also run with servers that declare no hashes."""


def pytest_asyncio_loop_factories() -> dict[str, LoopFactory]:
    """Return the event loops by name."""
    return loop_factories()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each case in the transfer modes that it allows."""
    metafunc.parametrize("transfer_mode", _modes(metafunc.definition), indirect=True)


def _modes(item: pytest.Item) -> list[str]:
    """Return the transfer modes of a case.

    `segments` would change the number of requests. With `pipe_reader`, the servers declare no hashes.
    """
    excluded = set()
    if item.get_closest_marker("one_connection"):
        excluded.add("segments")
    if item.path.name not in PIPED_FAMILIES or item.get_closest_marker("hashes"):
        excluded.add("pipe_reader")
    return [mode for mode in TRANSFER_MODES if mode not in excluded]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect all but one of the transfer modes of each case on uvloop, which does not use pipes."""
    removed = {item for item in items if item.path.parent == FOLDER and not _is_needed(item)}
    if removed:
        config.hook.pytest_deselected(items=removed)
        items[:] = [item for item in items if item not in removed]


def _is_needed(item: pytest.Item) -> bool:
    assert isinstance(item, pytest.Function)
    loop, *parameters = item.callspec.id.split("-")
    if loop != "uvloop":
        return True
    modes = [mode for mode in _modes(item) if mode != "pipe_reader"]
    mode = str(item.callspec.params["transfer_mode"])
    parameters.remove(mode)
    case = "-".join([item.path.name, item.originalname, *parameters])
    return modes[zlib.crc32(case.encode()) % len(modes)] == mode


@pytest.fixture(autouse=True)
def transfer_mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Select the transfer mode."""
    use_transfer_mode(request.param, monkeypatch)
    return str(request.param)


@pytest.fixture
async def scenario(tmp_path: Path) -> AsyncIterator[DownloadScenario]:
    """Provide an export with four artifacts on the emulator."""
    content = {artifact.value: blob(place) for place, artifact in enumerate(Artifact)}
    # The clock of the emulator stands still, so that two URLs of one artifact are equal.
    async with Emulator(populate=False, now=lambda: 1_800_000_000.0) as server:
        export = server.add_export(content=content)
        versions = {artifact: [body] for artifact, body in content.items()}
        yield DownloadScenario(server=server, folder=tmp_path, export_id=export.id, versions=versions)


@pytest.fixture
async def raw(tmp_path: Path) -> AsyncIterator[RawDownloadScenario]:
    """Provide an export whose CSV is served by a raw storage server."""
    content = blob(0)
    async with RawStorageServer(StoredObject.of(content), correct_response) as storage:
        async with RawStorageEmulator(storage) as server:
            export = server.add_export(content={"csv": content})
            yield RawDownloadScenario(
                server=server,
                folder=tmp_path,
                export_id=export.id,
                versions={"csv": [content]},
                storage=storage,
            )


def blob(seed: int) -> bytes:
    """Return different bytes for each seed."""
    return random.Random(seed).randbytes(SIZE + seed)
