"""Few calls of this package are between `download` and the network."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import CoroutineType, FrameType
from typing import Any

import aiohttp

import packagex_async
from packagex_async.testing import Emulator

PACKAGE = str(Path(packagex_async.__file__).parent)
MAX_CALLS = 7


def calls_on_stack(frame: FrameType | None) -> list[str]:
    """Return the names of our functions on the stack of the running task."""
    calls = []
    while frame is not None:
        if frame.f_code.co_filename.startswith(PACKAGE):
            calls.append(frame.f_code.co_qualname)
        frame = frame.f_back
    return calls


def calls_awaited(task: asyncio.Task[Any]) -> list[str]:
    """Return the names of our coroutines that `task` awaits."""
    calls = []
    coroutine: Any = task.get_coro()
    while isinstance(coroutine, CoroutineType):
        if coroutine.cr_code.co_filename.startswith(PACKAGE):
            calls.append(coroutine.cr_code.co_qualname)
        coroutine = coroutine.cr_await
    return calls


async def test_download_reaches_the_network_in_few_calls(packagex_emulator: Emulator, tmp_path: Path) -> None:
    """From `download` over the task of the artifact to the request, which aiohttp sends."""
    calls: list[str] = []
    server = packagex_emulator
    stored = server.add_export(content={"csv": b"a,b\n1,2\n"})

    async def record(_: object, __: object, params: aiohttp.TraceRequestStartParams) -> None:
        if not params.url.path.startswith("/v1/"):
            calls[:] = calls_awaited(caller) + calls_on_stack(sys._getframe())

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(record)
    async with server.client(trace_configs=[trace]) as px:
        export = await px.exports.retrieve(stored.id, include_csv=True, include_json=True)
        caller = asyncio.create_task(px.exports.download(export, tmp_path))
        await caller
    assert calls[0] == "AsyncExports.download"
    assert "StorageClient.get" in calls
    assert len(calls) <= MAX_CALLS, " ".join(calls)
