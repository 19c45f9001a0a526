"""Downloads of one artifact: interrupted transfers resume, within a download and in the next run."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from packagex_async import (
    AsyncPackageX,
    DownloadGroupError,
    ProgressEvent,
    ProgressKind,
)
from packagex_async.testing import (
    Cut,
    Emulator,
    IgnoreRange,
    LyingLength,
    Replace,
    Stall,
    Undeclared,
    WrongHash,
    WrongRange,
)
from packagex_async.testing.faults import TargetedFault
from tests.integration.download.interrupted import (
    LARGE,
    ONE_ATTEMPT,
    SIZE,
    add_export,
    interrupt_download,
    requested_ranges,
)
from tests.support import NO_BACKOFF, names
from tests.time_limits import LIMITED
from tests.transfer_modes import use_transfer_mode


@pytest.fixture(autouse=True, params=["aiohttp", "buffer_reader"])
def transfer_mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test through aiohttp and with each reader; requests of segments are not counted here."""
    use_transfer_mode(request.param, monkeypatch)


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([Cut(60_000)], [None, "bytes=60000-"]),
        ([Cut(60_000), Cut(10_000)], [None, "bytes=60000-", "bytes=70000-"]),
        ([Cut(60_000), IgnoreRange()], [None, "bytes=60000-"]),
        ([Cut(60_000), WrongRange(by=-1)], [None, "bytes=60000-", None]),
        ([Cut(60_000), WrongRange(by=1)], [None, "bytes=60000-", None]),
        ([Cut(60_000), Replace(b"n" * SIZE)], [None, "bytes=60000-"]),
        ([Undeclared(), Cut(60_000)], [None]),
        ([LyingLength(5)], [None, "bytes=100000-", None]),
        ([WrongHash()], [None, None]),
        ([Stall(60_000)], [None, "bytes=60000-"]),
    ],
)
@pytest.mark.usefixtures("limits")
async def test_trap_02_only_matching_ranges_are_appended(
    server: Emulator, tmp_path: Path, faults: list[TargetedFault], expected: list[str | None]
) -> None:
    """The file equals the object, whatever the response to the range is."""
    export_id = add_export(server)
    for fault in faults:
        server.inject(fault)
    async with server.client(retry=NO_BACKOFF, **LIMITED) as px:
        report = await px.exports.download(export_id, tmp_path, artifacts="csv")
    file = report.files["csv"]
    assert file.path.read_bytes() == server.content(export_id, "csv")
    assert requested_ranges(server) == expected
    assert file.resumed == (expected[-1] is not None and not isinstance(faults[-1], (IgnoreRange, Replace)))
    assert names(tmp_path) == [f"{export_id}.csv"]


async def test_trap_03_complete_partial_is_published_after_416(server: Emulator, tmp_path: Path) -> None:
    """A run ended between the last byte and the publishing.

    The next run requests more bytes and receives a 416 without validators. The last byte confirms the object.
    """
    export_id = add_export(server)
    await interrupt_download(server, tmp_path, export_id)
    (part,) = tmp_path.glob(".*.part")
    part.write_bytes(server.content(export_id, "csv"))
    async with server.client(retry=ONE_ATTEMPT) as px:
        report = await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True)
    assert requested_ranges(server)[1:] == ["bytes=100000-", "bytes=99999-"]
    assert report.files["csv"].path.read_bytes() == server.content(export_id, "csv")
    assert (report.files["csv"].verified, report.files["csv"].resumed) == ("checksum", True)
    assert names(tmp_path) == [f"{export_id}.csv"]


@pytest.mark.parametrize("content", [b"x" * 60_000, b"x" * SIZE, b"x" * 200_000])
async def test_trap_03_corrupted_partial_is_downloaded_again(
    server: Emulator, tmp_path: Path, content: bytes
) -> None:
    """Its hash gives it away, or its length; once, and from zero."""
    export_id = add_export(server)
    await interrupt_download(server, tmp_path, export_id)
    (part,) = tmp_path.glob(".*.part")
    part.write_bytes(content)
    async with server.client(retry=NO_BACKOFF) as px:
        report = await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True)
    assert report.files["csv"].path.read_bytes() == server.content(export_id, "csv")
    assert names(tmp_path) == [f"{export_id}.csv"]


async def test_next_run_resumes(server: Emulator, tmp_path: Path) -> None:
    """The digest is that of the complete file, and the partial file contains no secret."""
    export_id = add_export(server)
    await interrupt_download(server, tmp_path, export_id)
    (metadata,) = tmp_path.glob(".*.json")
    assert "http" not in metadata.read_text()
    assert "Signature" not in metadata.read_text()
    async with server.client(retry=ONE_ATTEMPT) as px:
        report = await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True, digest="sha256")
    file = report.files["csv"]
    assert (file.resumed, file.attempts, file.verified) == (True, 1, "checksum")
    assert file.sha256 is not None
    assert file.path.read_bytes() == server.content(export_id, "csv")
    assert requested_ranges(server) == [None, "bytes=60000-"]
    assert names(tmp_path) == [f"{export_id}.csv"]


async def test_cancelled_run_keeps_received_bytes(packagex_emulator: Emulator, tmp_path: Path) -> None:
    """The next run requests only the missing bytes."""
    export_id = add_export(packagex_emulator)
    packagex_emulator.inject(Stall(60_000))
    received = asyncio.Event()

    def on_progress(event: ProgressEvent) -> None:
        if event.received == 60_000:
            received.set()

    async with packagex_emulator.client(retry=ONE_ATTEMPT) as px:
        download = px.exports.download(
            export_id, tmp_path, artifacts="csv", resume=True, on_progress=on_progress
        )
        task = asyncio.create_task(download)
        await received.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True)
    assert requested_ranges(packagex_emulator) == [None, "bytes=60000-"]
    assert names(tmp_path) == [f"{export_id}.csv"]


async def test_partial_file_in_use_is_not_shared(server: Emulator, tmp_path: Path) -> None:
    """Two clients download an artifact independently; a later run removes the first partial file."""
    export_id = add_export(server, csv=os.urandom(LARGE))
    server.inject(Stall(LARGE - SIZE))
    received = asyncio.Event()

    def on_progress(event: ProgressEvent) -> None:
        if event.received == LARGE - SIZE:
            received.set()

    async with server.client(retry=ONE_ATTEMPT) as first, server.client(retry=ONE_ATTEMPT) as second:
        download = first.exports.download(
            export_id, tmp_path, artifacts="csv", resume=True, on_progress=on_progress
        )
        task = asyncio.create_task(download)
        await received.wait()
        (part,) = tmp_path.glob(".*.part")
        report = await second.exports.download(export_id, tmp_path, artifacts="csv", resume=True)
        assert (report.files["csv"].resumed, report.files["csv"].attempts) == (False, 1)
        assert part.exists()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        report = await second.exports.download(export_id, tmp_path, artifacts="csv", resume=True)
    assert report.files["csv"].kept
    assert names(tmp_path) == [f"{export_id}.csv"]


async def test_partial_of_replaced_object_is_not_resumed(server: Emulator, tmp_path: Path) -> None:
    """The object was replaced between two runs."""
    export_id = add_export(server)
    await interrupt_download(server, tmp_path, export_id)
    server.inject(Replace(b"new" * 1000))
    async with server.client(retry=ONE_ATTEMPT) as px:
        report = await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True)
    assert report.files["csv"].path.read_bytes() == b"new" * 1000
    assert not report.files["csv"].resumed
    assert names(tmp_path) == [f"{export_id}.csv"]


async def test_partial_is_removed_if_file_exists(server: Emulator, tmp_path: Path) -> None:
    """The file is kept, and the partial file of an earlier run is removed."""
    export_id = add_export(server)
    await interrupt_download(server, tmp_path, export_id)
    (tmp_path / f"{export_id}.csv").write_bytes(server.content(export_id, "csv"))
    async with server.client(retry=ONE_ATTEMPT) as px:
        report = await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True)
    assert report.files["csv"].kept
    assert names(tmp_path) == [f"{export_id}.csv"]


async def test_file_that_appears_during_download_is_kept(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """An existing file disappears, and reappears before the second attempt."""
    export_id = add_export(server)
    target = tmp_path / f"{export_id}.csv"
    target.write_bytes(server.content(export_id, "csv"))
    server.inject(Cut(60_000))
    server.inject(IgnoreRange())

    def on_progress(event: ProgressEvent) -> None:
        if event.kind is ProgressKind.STARTED and event.attempt == 1:
            target.unlink()
        if event.kind is ProgressKind.RETRYING:
            target.write_bytes(server.content(export_id, "csv"))

    report = await px.exports.download(export_id, tmp_path, artifacts="csv", on_progress=on_progress)
    assert (report.files["csv"].kept, report.files["csv"].attempts) == (True, 2)
    assert names(tmp_path) == [target.name]


@pytest.mark.parametrize("change", ["metadata", "version", "algorithm"])
async def test_trap_03_unusable_partial_is_replaced(server: Emulator, tmp_path: Path, change: str) -> None:
    """Metadata of another version, or with an unknown hash, is ignored."""
    export_id = add_export(server)
    await interrupt_download(server, tmp_path, export_id)
    (path,) = tmp_path.glob(".*.json")
    metadata = json.loads(path.read_text())
    if change == "metadata":
        path.write_text(json.dumps({"machine": metadata["machine"], "algorithm": None}))
    elif change == "version":
        path.write_text(json.dumps({"machine": metadata["machine"]}))
    else:
        path.write_text(json.dumps(metadata | {"hashes": [["blake9", "00"]]}))
    async with server.client(retry=ONE_ATTEMPT) as px:
        report = await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True)
    assert report.files["csv"].path.read_bytes() == server.content(export_id, "csv")
    assert names(tmp_path) == [f"{export_id}.csv"]


async def test_unpublished_partial_is_kept_for_next_run(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """If another file appears at the target, the next run with `overwrite` requests only the last byte."""
    export_id = add_export(server, csv=os.urandom(LARGE))
    target = tmp_path / f"{export_id}.csv"

    def create_target(event: ProgressEvent) -> None:
        if event.received == LARGE:
            target.write_text("other")

    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download(
            export_id, tmp_path, artifacts="csv", resume=True, on_progress=create_target
        )
    assert "another file of 5 bytes exists there" in str(caught.value.report.failures["csv"])
    assert target.read_text() == "other"
    report = await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True, overwrite=True)
    assert report.files["csv"].path.read_bytes() == server.content(export_id, "csv")
    assert requested_ranges(server) == [None, f"bytes={LARGE}-", f"bytes={LARGE - 1}-"]
    assert names(tmp_path) == [target.name]
