"""A canary key and a canary signature that appear nowhere."""

from __future__ import annotations

import asyncio
import io
import logging
import pickle
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from packagex_async import (
    AsyncPackageX,
    DownloadGroupError,
    Export,
    PackageXError,
    ProgressEvent,
    RetryPolicy,
)
from packagex_async.testing import (
    Cut,
    Emulator,
    Expired,
    Garbage,
    Redirect,
    Refuse,
    Reset,
    Stall,
    Status,
    WrongHash,
)
from packagex_async.testing.faults import TargetedFault

KEY = "px_live_CANARYKEY"
SECRETS = ("CANARY", "X-Px-Signature", "sig=")

FAULTS: list[TargetedFault] = [
    Cut(0),
    Reset(0),
    Stall(10),
    Refuse(),
    WrongHash(),
    Expired(),
    Redirect("https://127.0.0.1:1/a?sig=CANARY"),
    Redirect("http://storage.example/a?sig=CANARY"),
    Redirect("https://127.0.0.1:99999/a?sig=CANARY"),
    Status(403, body=b"<Error>https://storage.example/a?sig=CANARY</Error>", on="storage"),
    Status(401, body=f'{{"message": "unknown key {KEY}", "errors": ["{KEY}"]}}'.encode(), on="api"),
    Status(500, body=b'{"message": "https://storage.example/a?sig=CANARY"}', on="api"),
    Garbage(KEY.encode()),
    Garbage(b'{"data": {"name": "x", "_csv_url": "https://storage.example/a?sig=CANARY"}}'),
    Refuse(on="api"),
    Stall(0, on="api"),
]


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(populate=False, api_key=KEY) as server:
        yield server


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything any logger says at DEBUG."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(before)


def everything_of(error: BaseException) -> Iterator[str]:
    """Every way an error is looked at."""
    yield str(error)
    yield repr(error)
    yield repr(vars(error))
    yield "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    yield repr(pickle.dumps(error))
    if isinstance(error, DownloadGroupError):
        yield f"{error.report} {error.report!r} {pickle.dumps(error.report)!r}"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_trap_09_no_failure_shows_a_secret(
    emulator: Emulator, log: io.StringIO, tmp_path: Path, fault: TargetedFault
) -> None:
    """Not in a log, a message, a repr, a traceback with its locals, a pickle, an event or a file."""
    stored = emulator.add_export(rows=500)
    emulator.inject(fault, times=None)
    events: list[ProgressEvent] = []
    async with emulator.client(
        retry=RetryPolicy(attempts=2, wait_initial=0), stall_timeout=0.05, timeout=0.05
    ) as px:
        with pytest.raises(PackageXError) as caught:
            await px.exports.download(stored.id, tmp_path, on_progress=events.append)
        looks = [
            *everything_of(caught.value),
            repr(px),
            repr(events),
            repr([pickle.dumps(event) for event in events]),
        ]
    looks += [log.getvalue(), *(path.name for path in tmp_path.rglob("*"))]
    for look in looks:
        assert not [secret for secret in SECRETS if secret in look]


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.on == "api"], ids=lambda fault: type(fault).__name__
)
async def test_trap_09_no_failed_creation_shows_a_secret(
    emulator: Emulator, log: io.StringIO, fault: TargetedFault
) -> None:
    """Neither what went wrong, nor that it may have been done all the same."""
    emulator.inject(fault, times=None)
    async with emulator.client(retry=RetryPolicy(attempts=2, wait_initial=0), timeout=0.05) as px:
        with pytest.raises(PackageXError) as caught:
            await px.exports.create("contact", options={"limit": 1})
    for look in (*everything_of(caught.value), log.getvalue()):
        assert not [secret for secret in SECRETS if secret in look]


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """The base URL of a server that hears everything and says nothing."""
    over = asyncio.Event()

    async def listen(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        over.set()


async def retrieved(px: AsyncPackageX, export: Export) -> None:
    await px.exports.retrieve(export.id)


async def streamed(px: AsyncPackageX, export: Export) -> None:
    async with px.exports.stream(export, "csv"):
        pytest.fail("nobody answers")


@pytest.mark.parametrize("call", [retrieved, streamed])
async def test_trap_09_no_cancellation_shows_a_secret(
    silent: str, call: Callable[[AsyncPackageX, Export], Awaitable[None]]
) -> None:
    """Though aiohttp was at work on the key, or the URL, when it came."""
    export = Export(id="exp_1", csv_url=f"{silent}/a?sig=CANARY")
    async with AsyncPackageX(KEY, base_url=silent) as px:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.1):
                await call(px, export)
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    for look in everything_of(caught.value):
        assert not [secret for secret in SECRETS if secret in look]


async def test_trap_09_no_success_shows_a_secret(
    emulator: Emulator, log: io.StringIO, tmp_path: Path
) -> None:
    """Neither the client, nor an export, nor a report."""
    stored = emulator.add_export(rows=500)
    events: list[ProgressEvent] = []
    async with emulator.client() as px:
        export = await px.exports.retrieve(stored.id, include_csv=True, include_json=True)
        report = await px.exports.download(export, tmp_path, on_progress=events.append)
        looks = [
            repr(thing) for thing in (px, px.exports, export, report, events, vars(px), vars(px.exports))
        ]
    looks += [str(report), repr(pickle.dumps(report)), repr(pickle.dumps(export)), log.getvalue()]
    assert export.csv_url is not None
    assert "X-Px-Signature" in export.csv_url
    for look in looks:
        assert not [secret for secret in SECRETS if secret in look]


def test_trap_09_an_export_made_by_hand_is_silent_too() -> None:
    """The record itself keeps its URLs, whoever made it."""
    export = Export(id="exp_1", json_url="https://storage.example/a?sig=CANARY")
    assert "CANARY" not in f"{export!r} {pickle.dumps(export)!r}"


def test_a_key_is_in_no_repr_of_the_client() -> None:
    """Nor of anything it is made of."""
    px = AsyncPackageX(KEY)
    assert "CANARY" not in repr(px) + repr(vars(px)) + repr(vars(px.exports)) + repr(vars(px._http))
