"""Closing a client ends all its running operations, each with an error that says so."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from packagex_async import (
    AsyncPackageX,
    ClientClosedError,
    DownloadReport,
    Export,
    PackageXError,
    UnconfirmedError,
)
from packagex_async.testing import Cut, Emulator, Expired, Stall, Status

from ..faults.host import turns
from ..faults.invariant import held
from ..support import AT_ONCE
from ..ways import WAYS, force
from .server import Connection, Server, export, forever

LARGE = os.urandom(300_000)
SMALL = os.urandom(50_000)

MOST_TURNS = 500
"""An export that is under way does not get ready by itself."""

Operation = Callable[[AsyncPackageX, str, Path], Awaitable[object]]


async def _retrieve(px: AsyncPackageX, export_id: str, _: Path) -> object:
    return await px.exports.retrieve(export_id)


async def _create(px: AsyncPackageX, _: str, __: Path) -> object:
    return await px.exports.create("contact")


async def _wait(px: AsyncPackageX, export_id: str, _: Path) -> object:
    return await px.exports.wait(export_id)


async def _list(px: AsyncPackageX, _: str, __: Path) -> object:
    return [export async for export in px.exports.list(limit=2)]


async def _pages(px: AsyncPackageX, _: str, __: Path) -> object:
    return [page async for page in px.exports.pages(limit=2)]


async def _download(px: AsyncPackageX, export_id: str, folder: Path) -> object:
    return await px.exports.download(export_id, folder)


async def _export_and_download(px: AsyncPackageX, _: str, folder: Path) -> object:
    return await px.exports.export_and_download("contact", folder)


async def _download_all(px: AsyncPackageX, _: str, folder: Path) -> object:
    return [report async for report in px.exports.download_all(folder, resume=False)]


async def _stream(px: AsyncPackageX, export_id: str, _: Path) -> object:
    async with px.exports.stream(export_id, "json") as body:
        return [block async for block in body]


OPERATIONS: list[Operation] = [
    _retrieve,
    _create,
    _wait,
    _list,
    _pages,
    _download,
    _export_and_download,
    _download_all,
    _stream,
]


@pytest.fixture(autouse=True)
async def unhandled() -> AsyncGenerator[list[str], None]:
    """What the event loop was told of, because nobody else would have heard of it: nothing."""
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(str(context)))
    yield told
    gc.collect()
    assert told == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__[1:])
async def test_a_client_can_be_closed_at_every_turn_of_the_loop(
    operation: Operation, way: str, server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operation has ended when `aclose` returns, with its result or an error; nothing is left."""
    force(way, monkeypatch)
    stored = server.add_export(content={"json": LARGE, "csv": SMALL})
    for _ in range(5):
        server.add_export(content={"csv": SMALL})
    steps, ended = 0, False
    while not ended and (steps < MOST_TURNS or operation is not _export_and_download):
        folder = tmp_path / str(steps)
        before = asyncio.all_tasks()
        px = server.client(retry=AT_ONCE)
        task = asyncio.create_task(_outcome(operation(px, stored.id, folder)))
        for _ in range(steps):
            await asyncio.sleep(0)
        await px.aclose()
        await turns()
        assert task.done()
        ended = task.result() is None
        if not ended:
            assert "closed" in str(task.result())
        assert asyncio.all_tasks() - {task} == before
        assert not list(folder.rglob(".*"))
        for name, content in held(folder).items():
            assert content in (LARGE, SMALL) or name == "packagex-manifest.jsonl"
        steps += 1 + steps // 10


async def _outcome(work: Awaitable[object]) -> PackageXError | None:
    """The error that an operation ended with, if any."""
    try:
        await work
    except PackageXError as error:
        return error
    return None
