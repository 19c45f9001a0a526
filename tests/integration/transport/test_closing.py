"""Closing a client ends all its running operations with a `ClientClosedError`."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import aiohttp
import pytest

from packagex_async import (
    AsyncPackageX,
    ClientClosedError,
    PackageXError,
    ProgressEvent,
    RetryPolicy,
    UnconfirmedError,
)
from packagex_async.testing import Cut, Emulator, Expired, Stall, Status
from tests.faults.invariant import read_files
from tests.faults.storage_server import yield_to_event_loop
from tests.integration.transport.server import Connection, Server, forever
from tests.support import NO_BACKOFF, names
from tests.transfer_modes import TRANSFER_MODES, use_transfer_mode

LARGE = os.urandom(300_000)
SMALL = os.urandom(50_000)

MAX_TURNS = 500
"""Maximum turns of the event loop for an operation that does not end by itself."""

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


TRANSFERS = (_download, _download_all, _stream)
"""The operations that receive a body from a storage host."""


@pytest.fixture(autouse=True)
async def unhandled() -> AsyncGenerator[list[str], None]:
    """Check that no exception reaches the handler of the event loop."""
    messages: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: messages.append(str(context)))
    yield messages
    gc.collect()
    assert messages == []


@pytest.mark.parametrize(
    ("operation", "transfer_mode"),
    [
        (operation, mode)
        for operation in OPERATIONS
        for mode in (TRANSFER_MODES if operation in TRANSFERS else ("aiohttp",))
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__[1:],
)
async def test_client_can_be_closed_at_every_turn_of_the_loop(
    operation: Operation,
    transfer_mode: str,
    server: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Afterwards, the operation has ended with a result or an error, and no task or file is left."""
    use_transfer_mode(transfer_mode, monkeypatch)
    stored = server.add_export(content={"json": LARGE, "csv": SMALL})
    for _ in range(5):
        server.add_export(content={"csv": SMALL})
    steps, ended = 0, False
    while not ended and (steps < MAX_TURNS or operation is not _export_and_download):
        folder = tmp_path / str(steps)
        before = asyncio.all_tasks()
        px = server.client(retry=NO_BACKOFF)
        task = asyncio.create_task(_outcome(operation(px, stored.id, folder)))
        for _ in range(steps):
            await asyncio.sleep(0)
        await px.aclose()
        await yield_to_event_loop()
        assert task.done()
        ended = task.result() is None
        if not ended:
            assert "closed" in str(task.result())
        assert asyncio.all_tasks() - {task} == before
        assert not list(folder.rglob(".*"))
        for name, content in read_files(folder).items():
            assert content in (LARGE, SMALL) or name == "packagex-manifest.jsonl"
        steps += 1 + steps // 10


async def _outcome(work: Awaitable[object]) -> PackageXError | None:
    """Return the error of an operation, or `None`."""
    try:
        await work
    except PackageXError as error:
        return error
    return None


@pytest.mark.parametrize("size", [1_000_000, 20_000_000], ids=["below 16 MiB", "above"])
async def test_idle_stream_ends(server: Emulator, size: int) -> None:
    """Its connection is closed, and the next read raises the error."""
    stored = server.add_export(content={"csv": bytes(size)})
    async with server.client(retry=NO_BACKOFF) as px:
        async with px.exports.stream(stored.id, "csv") as body:
            assert await anext(body)
            await px.aclose()
            with pytest.raises(ClientClosedError, match="the client is closed"):
                await anext(body)


@pytest.mark.parametrize("size", [1_000_000, 20_000_000], ids=["below 16 MiB", "above"])
@pytest.mark.parametrize("shared", [False, True], ids=["own connector", "caller's"])
async def test_operation_that_waits_for_bytes_ends(
    server: Emulator, tmp_path: Path, size: int, shared: bool
) -> None:
    """The storage host is silent within the bodies."""
    stored = server.add_export(content={"json": bytes(size)})
    server.inject(Stall(size // 2), times=None)
    async with AsyncExitStack() as stack:
        connector = await stack.enter_async_context(aiohttp.TCPConnector()) if shared else None
        px = server.client(retry=NO_BACKOFF, connector=connector)
        tasks = [
            asyncio.create_task(_outcome(operation(px, stored.id, tmp_path / operation.__name__)))
            for operation in (_download, _download_all, _stream)
        ]
        while len([request for request in server.requests if request.host == "storage"]) < len(tasks):
            await asyncio.sleep(0)
        await px.aclose()
        assert [type(await task) for task in tasks] == [ClientClosedError] * 3
    assert all(set(names(folder)) <= {"packagex-manifest.jsonl"} for folder in tmp_path.iterdir())


@pytest.mark.parametrize("resume", [False, True])
async def test_partial_files_are_kept_only_with_resume(
    server: Emulator, tmp_path: Path, resume: bool
) -> None:
    """The next client resumes them."""
    content = os.urandom(1_000_000)
    stored = server.add_export(content={"csv": content})
    server.inject(Stall(500_000))
    begun = asyncio.Event()
    px = server.client(retry=NO_BACKOFF)
    task = asyncio.create_task(
        px.exports.download(
            stored.id,
            tmp_path,
            resume=resume,
            on_progress=lambda event: begun.set() if event.received else None,
        )
    )
    await begun.wait()
    await px.aclose()
    with pytest.raises(ClientClosedError, match=r"the client was closed while download\(\) was running"):
        await task
    assert bool(list(tmp_path.iterdir())) is resume
    async with server.client(retry=NO_BACKOFF) as px:
        report = await px.exports.download(stored.id, tmp_path, resume=resume)
    assert report.files["csv"].resumed is resume
    assert report.files["csv"].path.read_bytes() == content


@pytest.mark.parametrize("kind", ["list", "pages", "download_all"])
async def test_idle_iterator_ends(server: Emulator, tmp_path: Path, kind: str) -> None:
    """Its background tasks have ended when `aclose` returns. The next step raises the error."""
    for _ in range(40):
        server.add_export(content={"csv": SMALL})
    before = asyncio.all_tasks()
    px = server.client(retry=NO_BACKOFF)
    items: dict[str, AsyncGenerator[object, None]] = {
        "list": px.exports.list(limit=4),
        "pages": px.exports.pages(limit=4),
        "download_all": px.exports.download_all(tmp_path, limit=4),
    }
    async with aclosing(items[kind]) as steps:
        for _ in range(9 if kind == "list" else 3):
            await anext(steps)
        server.inject(Stall(0, on="api"), times=None)
        await px.aclose()
        await yield_to_event_loop()
        assert asyncio.all_tasks() == before
        with pytest.raises(ClientClosedError):
            await anext(steps)
    assert not list(tmp_path.glob(".*"))


async def test_creation_that_was_sent_is_unconfirmed() -> None:
    """The export may have been created."""
    received = asyncio.Event()

    async def handler(connection: Connection) -> None:
        await connection.request()
        received.set()
        await forever()

    async with Server(handler) as server:
        px = AsyncPackageX("key", base_url=server.url)
        task = asyncio.create_task(px.exports.create("contact"))
        await received.wait()
        await px.aclose()
        with pytest.raises(UnconfirmedError, match="the client was closed") as caught:
            await task
        assert isinstance(caught.value.__cause__, ClientClosedError)


async def test_creation_that_was_not_sent_is_not_unconfirmed(server: Emulator) -> None:
    """There was no connection."""
    px = server.client()
    task = asyncio.create_task(px.exports.create("contact"))
    await asyncio.sleep(0)
    await px.aclose()
    with pytest.raises(ClientClosedError, match=r"the client was closed while create\(\) was running"):
        await task
    assert server.created == ()


@pytest.mark.parametrize("first", ["cancel", "close"])
async def test_cancellation_by_the_caller_is_preserved(server: Emulator, first: str) -> None:
    """The task is cancelled and the client is closed at the same time."""
    server.inject(Stall(0, on="api"), times=None)
    px = server.client()
    task = asyncio.create_task(px.exports.retrieve("exp_1"))
    await yield_to_event_loop()
    if first == "cancel":
        task.cancel()
        await px.aclose()
    else:
        closing = asyncio.create_task(px.aclose())
        await asyncio.sleep(0)
        task.cancel()
        await closing
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_timeout_of_the_caller_still_works(server: Emulator) -> None:
    """The count of cancellations is correct after the client was closed."""
    server.inject(Stall(0, on="api"), times=None)
    px = server.client()

    async def limited() -> None:
        with pytest.raises(ClientClosedError):
            await px.exports.retrieve("exp_1")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await forever()

    task = asyncio.create_task(limited())
    await yield_to_event_loop()
    await px.aclose()
    await task


async def test_client_can_be_closed_concurrently(server: Emulator) -> None:
    """Each `aclose` returns after the operations have ended."""
    server.inject(Stall(0, on="api"), times=None)
    px = server.client()
    task = asyncio.create_task(px.exports.retrieve("exp_1"))
    await yield_to_event_loop()
    await asyncio.gather(*(px.aclose() for _ in range(3)))
    assert task.done()
    await px.aclose()
    with pytest.raises(ClientClosedError):
        await task


async def test_cancelled_close_can_be_repeated(server: Emulator) -> None:
    """The next `aclose` closes the client completely."""
    server.inject(Stall(0, on="api"), times=None)
    px = server.client()
    task = asyncio.create_task(_outcome(px.exports.retrieve("exp_1")))
    await yield_to_event_loop()
    closing = asyncio.create_task(px.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await px.aclose()
    assert isinstance(await task, ClientClosedError)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__[1:])
async def test_client_can_be_closed_within_an_operation(
    operation: Operation, server: Emulator, tmp_path: Path
) -> None:
    """By a trace hook of the caller. The operation ends, without a deadlock."""
    stored = server.add_export(content={"csv": SMALL})
    trace = aiohttp.TraceConfig()

    async def close(*_: object) -> None:
        await px.aclose()

    trace.on_request_start.append(close)
    px = server.client(trace_configs=[trace], retry=NO_BACKOFF)
    assert isinstance(await _outcome(operation(px, stored.id, tmp_path)), ClientClosedError)
    await px.aclose()


async def test_consumer_of_an_iterator_can_close_the_client(server: Emulator, tmp_path: Path) -> None:
    """No operation runs between two steps."""
    for _ in range(10):
        server.add_export(content={"csv": SMALL})
    for kind in ("list", "download_all"):
        px = server.client(retry=NO_BACKOFF)
        seen = 0
        with pytest.raises(ClientClosedError):
            items: AsyncGenerator[object, None] = (
                px.exports.list(limit=2) if kind == "list" else px.exports.download_all(tmp_path)
            )
            async with aclosing(items):
                async for _ in items:
                    seen += 1
                    await px.aclose()
        assert seen == 1


async def test_no_operation_starts_on_a_closed_client(server: Emulator, tmp_path: Path) -> None:
    """Each one raises an error that says so."""
    px = server.client()
    await px.aclose()
    for operation in OPERATIONS:
        error = await _outcome(operation(px, "exp_1", tmp_path))
        assert isinstance(error, ClientClosedError)
        assert "the client is closed" in str(error)


@pytest.mark.parametrize("transfer_mode", TRANSFER_MODES)
async def test_retried_download_ends(
    server: Emulator, tmp_path: Path, transfer_mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """During the delay before another attempt, and during a refresh of the URL."""
    use_transfer_mode(transfer_mode, monkeypatch)
    stored = server.add_export(content={"csv": LARGE})
    for fault in (Cut(1000), Status(503, retry_after="100", on="storage"), Expired()):
        server.inject(fault)
        events: list[ProgressEvent] = []
        px = server.client(retry=RetryPolicy(wait_initial=1000, wait_max=1000))
        task = asyncio.create_task(
            _outcome(px.exports.download(stored.id, tmp_path, on_progress=events.append))
        )
        while not events and not task.done():
            await asyncio.sleep(0)
        await px.aclose()
        assert isinstance(await task, (ClientClosedError, type(None)))
        assert not list(tmp_path.glob(".*"))
