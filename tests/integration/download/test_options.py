"""The options of a download."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import threading
from pathlib import Path

import pytest

from packagex_async import (
    Artifact,
    AsyncPackageX,
    ConfigurationError,
    DestinationError,
    DownloadGroupError,
    Export,
    ProgressEvent,
    ProgressKind,
    RetryPolicy,
    StalledError,
    StorageError,
)
from packagex_async._files import operations
from packagex_async.testing import (
    Emulator,
    Encoded,
    NoHash,
    Stall,
    Trickle,
    Undeclared,
)
from tests.integration.download.interrupted import (
    LARGE,
    SIZE,
    add_export,
)
from tests.support import names
from tests.transfer_modes import use_transfer_mode


@pytest.fixture(autouse=True, params=["aiohttp", "buffer_reader", "pipe_reader"])
def transfer_mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test through aiohttp and with each reader; requests of segments are not counted here."""
    use_transfer_mode(request.param, monkeypatch)


async def test_trap_05_unrequested_encoding_is_decoded(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """To disk and as a stream; the hash of the encoded bytes is verified."""
    export_id = add_export(server, csv=b"a,b\n1,2\n" * 50_000, json=b"[]")
    server.inject(Encoded(), times=2)
    report = await px.exports.download(export_id, tmp_path, artifacts="csv")
    assert report.files["csv"].path.read_bytes() == server.content(export_id, "csv")
    assert report.files["csv"].verified == "checksum"
    async with px.exports.stream(export_id, "csv") as body:
        assert b"".join([block async for block in body]) == server.content(export_id, "csv")


async def test_invalid_encoding_is_refused(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """To disk and as a stream; the error is final and contains the export."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot zipped"[:-1])
        await writer.drain()
        writer.close()

    storage = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with storage:
        host, port = storage.sockets[0].getsockname()
        export = Export(id="exp_1", csv_url=f"http://{host}:{port}/a")
        with pytest.raises(DownloadGroupError, match="exp_1") as caught:
            await px.exports.download(export, tmp_path, artifacts="csv")
        assert "not valid compressed data" in str(caught.value.report.failures[0])
        with pytest.raises(StorageError, match="not valid compressed data"):
            async with px.exports.stream(export, "csv") as body:
                [block async for block in body]
    assert names(tmp_path) == []


async def test_required_verification(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """A declared length is enough; no declaration is an error."""
    export_id = add_export(server)
    server.inject(NoHash())
    report = await px.exports.download(export_id, tmp_path / "1", artifacts="csv", require_verification=True)
    assert report.files["csv"].verified == "length"
    server.inject(Undeclared())
    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download(export_id, tmp_path / "2", artifacts="csv", require_verification=True)
    assert "declares neither length nor hash" in str(caught.value.report.failures[0])


async def test_max_size(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """Declared, undeclared and encoded bodies above the limit fail; a body at the limit succeeds."""
    export_id = add_export(server, csv=bytes(SIZE))
    report = await px.exports.download(export_id, tmp_path / "fits", artifacts="csv", max_size=SIZE)
    assert report.ok
    for fault in (None, Undeclared(), Encoded()):
        if fault is not None:
            server.inject(fault)
        with pytest.raises(DownloadGroupError) as caught:
            await px.exports.download(export_id, tmp_path / "large", artifacts="csv", max_size=SIZE - 1)
        assert f"max_size={SIZE - 1}" in str(caught.value.report.failures[0])
    assert not (tmp_path / "large").exists() or names(tmp_path / "large") == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_size": 0}, "max_size must be 1 or more"),
        ({"durability": "sync"}, "durability must be 'fsync' or None"),
    ],
)
async def test_invalid_options_are_refused(
    px: AsyncPackageX, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    """The error is raised before any request."""
    with pytest.raises(ConfigurationError, match=message):
        await px.exports.download("exp_1", tmp_path, **options)  # type: ignore[call-overload]


async def test_fsync_before_and_after_publishing(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is flushed before it is moved to its path, and the folder afterwards."""
    flushed: list[tuple[bool, list[str]]] = []
    export_id = add_export(server)

    def record(handle: int) -> None:
        flushed.append((os.path.samestat(os.fstat(handle), tmp_path.stat()), names(tmp_path)))

    monkeypatch.setattr(os, "fsync", record)
    await px.exports.download(export_id, tmp_path, artifacts="csv", durability="fsync")
    (is_folder, names_before), after = flushed
    assert not is_folder
    assert f"{export_id}.csv" not in names_before
    assert after == (True, [f"{export_id}.csv"])


async def test_trap_12_slow_body_is_a_stall(server: Emulator, tmp_path: Path) -> None:
    """Single bytes in each attempt do not count as progress."""
    export_id = add_export(server)
    server.inject(Trickle(block=1, delay=0.005), times=None)
    async with server.client(retry=RetryPolicy(attempts=2, wait_initial=0), stall_timeout=0.1) as px:
        with pytest.raises(DownloadGroupError) as caught:
            await px.exports.download(export_id, tmp_path, artifacts="csv")
    assert isinstance(caught.value.report.failures["csv"], StalledError)


async def test_trap_23_full_disk_cancels_other_artifacts(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All artifacts fail with the cause; the remaining ones are not attempted."""
    export_id = add_export(server, **{artifact.value: os.urandom(LARGE) for artifact in Artifact})
    full = shutil._ntuple_diskusage(10, 9, 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    server.inject(Stall(10, artifact="csv"), times=None)
    events: list[ProgressEvent] = []
    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download(export_id, tmp_path, on_progress=events.append)
    failures = caught.value.report.failures
    assert failures.keys() == tuple(Artifact)
    for failure in failures:
        assert isinstance(failure, DestinationError)
        assert failure.errno == errno.ENOSPC
    assert "cancelled: the destination is full or read-only" in str(failures["csv"])
    assert {event.artifact for event in events if event.kind is ProgressKind.FAILED} == set(Artifact)
    assert names(tmp_path) == []


async def test_sharing_violation_is_retried(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sharing violation on Windows is retried; other errors are not."""
    export_id = add_export(server)
    refusals = [5, 32, 5]
    replace = os.replace

    def replace_with_violation(source: Path, target: Path) -> None:
        if refusals and target.suffix == ".csv":
            error = PermissionError("in use")
            error.winerror = refusals.pop()  # type: ignore[attr-defined]
            raise error
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace_with_violation)
    monkeypatch.setattr(operations, "_SHARING_DELAYS", (0, 0, 0))
    assert (await px.exports.download(export_id, tmp_path, artifacts="csv")).ok
    refusals += [5] * 4
    with pytest.raises(DownloadGroupError):
        await px.exports.download(export_id, tmp_path, artifacts="csv", overwrite=True)


async def test_trap_16_name_resolution_with_blocked_executor(server: Emulator, tmp_path: Path) -> None:
    """A blocked default executor does not delay a download from a host name."""
    export_id = add_export(server)
    base_url = server.base_url.replace("127.0.0.1", "localhost")
    loop = asyncio.get_running_loop()
    release = threading.Event()
    blocked = [loop.run_in_executor(None, release.wait) for _ in range(64)]
    try:
        async with AsyncPackageX(server.api_key, base_url=base_url) as px:
            report = await px.exports.download(export_id, tmp_path, artifacts="csv")
    finally:
        release.set()
        await asyncio.gather(*blocked)
    assert report.ok
