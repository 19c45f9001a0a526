"""Every case runs on asyncio's own loop and, where it is there, on uvloop's; its bodies come every way."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from packagex_async import Artifact
from packagex_async.testing import Emulator
from tests.faults.host import Host, Stored
from tests.faults.plays import honest
from tests.faults.trial import Pointing, Raw, Trial
from tests.ways import WAYS, LoopFactory, force, loop_factories

SIZE = 100_000


def pytest_asyncio_loop_factories() -> dict[str, LoopFactory]:
    """The loops by name."""
    return loop_factories()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every case comes every way, but for those that count what only one connection would do."""
    alone = metafunc.definition.get_closest_marker("one_connection")
    metafunc.parametrize("way", WAYS[:-1] if alone else WAYS, indirect=True)


@pytest.fixture(autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The way that bodies come."""
    force(request.param, monkeypatch)
    return str(request.param)


@pytest.fixture
async def trial(tmp_path: Path) -> AsyncIterator[Trial]:
    """An export of four artifacts on the emulator."""
    content = {artifact.value: blob(place) for place, artifact in enumerate(Artifact)}
    # Time stands still there, so that links signed twice are the same.
    async with Emulator(populate=False, now=lambda: 1_800_000_000.0) as server:
        export = server.add_export(content=content)
        wholes = {artifact: [body] for artifact, body in content.items()}
        yield Trial(server=server, folder=tmp_path, export_id=export.id, wholes=wholes)


@pytest.fixture
async def raw(tmp_path: Path) -> AsyncIterator[Raw]:
    """An export whose CSV lies on a raw host."""
    content = blob(0)
    async with Host(Stored.of(content), honest) as host, Pointing(host) as server:
        export = server.add_export(content={"csv": content})
        yield Raw(server=server, folder=tmp_path, export_id=export.id, wholes={"csv": [content]}, host=host)


def blob(seed: int) -> bytes:
    """Bytes that no two seeds share."""
    return random.Random(seed).randbytes(SIZE + seed)
