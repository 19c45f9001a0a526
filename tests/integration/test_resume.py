"""A transfer goes on where it broke off, within a download and across runs."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import threading
from pathlib import Path

import attrs
import pytest

from packagex_async import (
    Artifact,
    AsyncPackageX,
    ConfigurationError,
    DestinationError,
    DownloadGroupError,
    Export,
    ExportGoneError,
    LinkExpiredError,
    ProgressEvent,
    ProgressKind,
    RetryPolicy,
    StalledError,
    StorageError,
)
from packagex_async._files import operations
from packagex_async.testing import (
    Cut,
    Emulator,
    Encoded,
    Expired,
    IgnoreRange,
    LyingLength,
    NoHash,
    Replace,
    Stall,
    Trickle,
    Undeclared,
    WrongHash,
    WrongRange,
)
from packagex_async.testing.faults import TargetedFault
from tests.support import AT_ONCE, names
from tests.ways import force

ONCE = RetryPolicy(attempts=1)
SIZE = 100_000
LARGE = 2 * 1024 * 1024
"""Bytes that are not gathered to their end before the first of them is written."""


@pytest.fixture(autouse=True, params=["plain", "intake"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through aiohttp and past it; what is asked for of one connection is told exactly here."""
    force(request.param, monkeypatch)


def add(server: Emulator, **content: bytes) -> str:
    return server.add_export(content=content or {"csv": os.urandom(SIZE)}).id


def ranges(server: Emulator) -> list[str | None]:
    return [request.headers.get("Range") for request in server.requests if request.host == "storage"]


async def cut_once(server: Emulator, folder: Path, export_id: str, after: int = 60_000) -> None:
    """A run that ends with a part of the artifact left for the next."""
    server.inject(Cut(after))
    async with server.client(retry=ONCE) as px:
        with pytest.raises(DownloadGroupError):
            await px.exports.download(export_id, folder, artifacts="csv", resume=True)
    assert len(names(folder)) == 2, "the partial and its memo"


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
async def test_trap_02_what_follows_is_appended_and_nothing_else(
    server: Emulator, tmp_path: Path, faults: list[TargetedFault], expected: list[str | None]
) -> None:
    """Whatever the answer to a range is, the file is the object, byte for byte."""
    export_id = add(server)
    for fault in faults:
        server.inject(fault)
    async with server.client(retry=AT_ONCE, stall_timeout=0.5) as px:
        report = await px.exports.download(export_id, tmp_path, artifacts="csv")
    file = report.files["csv"]
    assert file.path.read_bytes() == server.content(export_id, "csv")
    assert ranges(server) == expected
    assert file.resumed == (expected[-1] is not None and not isinstance(faults[-1], (IgnoreRange, Replace)))
    assert names(tmp_path) == [f"{export_id}.csv"]


async def test_trap_03_a_partial_that_is_whole_is_published_on_416(server: Emulator, tmp_path: Path) -> None:
    """A run died between the last byte and the publishing.

    The next run requests more and gets a 416 without validators. The last byte then confirms the object.
    """
    export_id = add(server)
    await cut_once(server, tmp_path, export_id)
    (part,) = tmp_path.glob(".*.part")
    part.write_bytes(server.content(export_id, "csv"))
    async with server.client(retry=ONCE) as px:
        report = await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True)
    assert ranges(server)[1:] == ["bytes=100000-", "bytes=99999-"]
    assert report.files["csv"].path.read_bytes() == server.content(export_id, "csv")
    assert (report.files["csv"].verified, report.files["csv"].resumed) == ("checksum", True)
    assert names(tmp_path) == [f"{export_id}.csv"]


@pytest.mark.parametrize("beginning", [b"x" * 60_000, b"x" * SIZE, b"x" * 200_000])
async def test_trap_03_a_spoilt_partial_is_fetched_anew(
    server: Emulator, tmp_path: Path, beginning: bytes
) -> None:
    """Its hash gives it away, or its length; once, and from zero."""
    export_id = add(server)
    await cut_once(server, tmp_path, export_id)
    (part,) = tmp_path.glob(".*.part")
    part.write_bytes(beginning)
    async with server.client(retry=AT_ONCE) as px:
        report = await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True)
    assert report.files["csv"].path.read_bytes() == server.content(export_id, "csv")
    assert names(tmp_path) == [f"{export_id}.csv"]


async def test_the_next_run_goes_on_where_the_last_one_ended(server: Emulator, tmp_path: Path) -> None:
    """Byte for byte, with all digests; and what is left meanwhile holds no secret."""
    export_id = add(server)
    await cut_once(server, tmp_path, export_id)
    (memo,) = tmp_path.glob(".*.json")
    assert "http" not in memo.read_text()
    assert "Signature" not in memo.read_text()
    async with server.client(retry=ONCE) as px:
        report = await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True, digest="sha256")
    file = report.files["csv"]
    assert (file.resumed, file.attempts, file.verified) == (True, 1, "checksum")
    assert file.sha256 is not None
    assert file.path.read_bytes() == server.content(export_id, "csv")
    assert ranges(server) == [None, "bytes=60000-"]
    assert names(tmp_path) == [f"{export_id}.csv"]


async def test_a_cancelled_run_leaves_what_it_brought(packagex_emulator: Emulator, tmp_path: Path) -> None:
    """Every byte that was there is not asked for again."""
    export_id = add(packagex_emulator)
    packagex_emulator.inject(Stall(60_000))
    brought = asyncio.Event()

    def watch(event: ProgressEvent) -> None:
        if event.received == 60_000:
            brought.set()

    async with packagex_emulator.client(retry=ONCE) as px:
        work = px.exports.download(export_id, tmp_path, artifacts="csv", resume=True, on_progress=watch)
        task = asyncio.create_task(work)
        await brought.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True)
    assert ranges(packagex_emulator) == [None, "bytes=60000-"]
    assert names(tmp_path) == [f"{export_id}.csv"]


async def test_what_another_download_is_at_work_on_is_left_to_it(server: Emulator, tmp_path: Path) -> None:
    """Two clients of one process fetch an artifact each for itself; what the first one leaves is swept."""
    export_id = add(server, csv=os.urandom(LARGE))
    server.inject(Stall(LARGE - SIZE))
    brought = asyncio.Event()

    def watch(event: ProgressEvent) -> None:
        if event.received == LARGE - SIZE:
            brought.set()

    async with server.client(retry=ONCE) as one, server.client(retry=ONCE) as other:
        first = one.exports.download(export_id, tmp_path, artifacts="csv", resume=True, on_progress=watch)
        task = asyncio.create_task(first)
        await brought.wait()
        (part,) = tmp_path.glob(".*.part")
        report = await other.exports.download(export_id, tmp_path, artifacts="csv", resume=True)
        assert (report.files["csv"].resumed, report.files["csv"].attempts) == (False, 1)
        assert part.exists()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        report = await other.exports.download(export_id, tmp_path, artifacts="csv", resume=True)
    assert report.files["csv"].kept
    assert names(tmp_path) == [f"{export_id}.csv"]


async def test_what_a_run_left_of_another_object_is_not_gone_on_with(
    server: Emulator, tmp_path: Path
) -> None:
    """The object has been replaced since."""
    export_id = add(server)
    await cut_once(server, tmp_path, export_id)
    server.inject(Replace(b"new" * 1000))
    async with server.client(retry=ONCE) as px:
        report = await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True)
    assert report.files["csv"].path.read_bytes() == b"new" * 1000
    assert not report.files["csv"].resumed
    assert names(tmp_path) == [f"{export_id}.csv"]


async def test_a_file_that_is_there_needs_no_partial(server: Emulator, tmp_path: Path) -> None:
    """It is kept, and what an earlier run has left is swept away."""
    export_id = add(server)
    await cut_once(server, tmp_path, export_id)
    (tmp_path / f"{export_id}.csv").write_bytes(server.content(export_id, "csv"))
    async with server.client(retry=ONCE) as px:
        report = await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True)
    assert report.files["csv"].kept
    assert names(tmp_path) == [f"{export_id}.csv"]


async def test_a_file_that_comes_back_amid_is_kept(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """It was there, and gone, and is there again when the whole is sent anew."""
    export_id = add(server)
    target = tmp_path / f"{export_id}.csv"
    target.write_bytes(server.content(export_id, "csv"))
    server.inject(Cut(60_000))
    server.inject(IgnoreRange())

    def watch(event: ProgressEvent) -> None:
        if event.kind is ProgressKind.STARTED and event.attempt == 1:
            target.unlink()
        if event.kind is ProgressKind.RETRYING:
            target.write_bytes(server.content(export_id, "csv"))

    report = await px.exports.download(export_id, tmp_path, artifacts="csv", on_progress=watch)
    assert (report.files["csv"].kept, report.files["csv"].attempts) == (True, 2)
    assert names(tmp_path) == [target.name]


@pytest.mark.parametrize("spoil", ["memo", "version", "algorithm"])
async def test_trap_03_a_partial_that_cannot_be_used_wedges_nothing(
    server: Emulator, tmp_path: Path, spoil: str
) -> None:
    """Metadata of another version, a hash that cannot be computed here."""
    export_id = add(server)
    await cut_once(server, tmp_path, export_id)
    (path,) = tmp_path.glob(".*.json")
    memo = json.loads(path.read_text())
    if spoil == "memo":
        path.write_text(json.dumps({"machine": memo["machine"], "algorithm": None}))
    elif spoil == "version":
        path.write_text(json.dumps({"machine": memo["machine"]}))
    else:
        path.write_text(json.dumps(memo | {"hashes": [["blake9", "00"]]}))
    async with server.client(retry=ONCE) as px:
        report = await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True)
    assert report.files["csv"].path.read_bytes() == server.content(export_id, "csv")
    assert names(tmp_path) == [f"{export_id}.csv"]


async def test_trap_13_an_expired_link_is_renewed_once_for_all(server: Emulator, tmp_path: Path) -> None:
    """Four artifacts, one refresh, and each goes on from the byte it had reached."""
    export_id = add(server, **{artifact.value: os.urandom(SIZE) for artifact in Artifact})
    for artifact in Artifact:
        server.inject(Cut(60_000, artifact=artifact.value))
        server.inject(Expired(artifact=artifact.value))
    async with server.client(retry=AT_ONCE) as px:
        report = await px.exports.download(export_id, tmp_path)
    assert all(file.resumed for file in report.files)
    assert [request.host for request in server.requests].count("api") <= 1 + 2
    for artifact, file in report.files.items():
        assert file.path.read_bytes() == server.content(export_id, artifact)


async def test_trap_13_a_second_refusal_is_final(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """Right after a fresh link; having brought bytes in between, it is renewed again."""
    export_id = add(server)
    for _ in range(3):
        server.inject(Cut(20_000))
        server.inject(Expired())
    await px.exports.download(export_id, tmp_path, artifacts="csv")
    assert [request.host for request in server.requests].count("api") == 1 + 3
    server.inject(Expired(), times=None)
    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download(export_id, tmp_path / "other", artifacts="csv")
    assert isinstance(caught.value.report.failures["csv"], LinkExpiredError)


async def test_trap_13_an_export_that_is_gone_is_said_to_be(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Deleted while its links were used: no partial of it is kept."""
    export_id = add(server)
    export = await px.exports.retrieve(export_id, include_csv=True, include_json=True)
    await cut_once(server, tmp_path, export_id)
    server.delete_export(export_id)
    with pytest.raises(ExportGoneError):
        await px.exports.download(export, tmp_path, resume=True)
    assert names(tmp_path) == []
    with pytest.raises(ExportGoneError):
        async with px.exports.stream(export, "csv"):
            pytest.fail("it is gone")


async def test_what_a_renewed_link_no_longer_offers_has_failed_and_is_not_missing(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Missing is what was not offered when the download began; no artifact is both, and none is neither."""
    export_id = add(server, csv=b"a,b\n", json=b"[]")
    export = await px.exports.retrieve(export_id, include_csv=True, include_json=True)
    export = attrs.evolve(export, csv_error_url=server.url_for(export_id, "csv_error"), json_url=None)
    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download(export, tmp_path)
    report = caught.value.report
    assert report.files.keys() == (Artifact.CSV,)
    assert report.failures.keys() == (Artifact.CSV_ERROR,)
    assert report.missing == (Artifact.JSON, Artifact.CSV_SANITIZED)


async def test_a_stream_renews_its_link(server: Emulator, px: AsyncPackageX) -> None:
    """Before its first byte."""
    export_id = add(server)
    server.inject(Expired())
    async with px.exports.stream(export_id, "csv") as body:
        assert b"".join([block async for block in body]) == server.content(export_id, "csv")


async def test_trap_05_what_arrives_compressed_is_decoded(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Though nobody asked for it; to disk and as a stream, verified by the hash of what arrived."""
    export_id = add(server, csv=b"a,b\n1,2\n" * 50_000, json=b"[]")
    server.inject(Encoded(), times=2)
    report = await px.exports.download(export_id, tmp_path, artifacts="csv")
    assert report.files["csv"].path.read_bytes() == server.content(export_id, "csv")
    assert report.files["csv"].verified == "checksum"
    async with px.exports.stream(export_id, "csv") as body:
        assert b"".join([block async for block in body]) == server.content(export_id, "csv")


async def test_a_body_that_does_not_decode_is_refused(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """To disk and as a stream, final and by name."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot zipped"[:-1])
        await writer.drain()
        writer.close()

    storage = await asyncio.start_server(answer, "127.0.0.1", 0)
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


async def test_verification_can_be_required(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """A length is enough; nothing at all is not."""
    export_id = add(server)
    server.inject(NoHash())
    report = await px.exports.download(export_id, tmp_path / "1", artifacts="csv", require_verification=True)
    assert report.files["csv"].verified == "length"
    server.inject(Undeclared())
    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download(export_id, tmp_path / "2", artifacts="csv", require_verification=True)
    assert "declares neither length nor hash" in str(caught.value.report.failures[0])


async def test_a_size_can_be_bounded(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """Declared, undeclared or compressed; at the bound it is fine."""
    export_id = add(server, csv=bytes(SIZE))
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
    ("bad", "says"),
    [
        ({"max_size": 0}, "max_size must be 1 or more"),
        ({"durability": "sync"}, "durability must be 'fsync' or None"),
    ],
)
async def test_what_cannot_be_demanded_is_refused(
    px: AsyncPackageX, tmp_path: Path, bad: dict[str, object], says: str
) -> None:
    """Before anything is asked for."""
    with pytest.raises(ConfigurationError, match=says):
        await px.exports.download("exp_1", tmp_path, **bad)  # type: ignore[arg-type]


async def test_a_durable_file_is_flushed_before_it_takes_its_place(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file first, then its folder."""
    flushed: list[tuple[bool, list[str]]] = []
    export_id = add(server)

    def note(handle: int) -> None:
        flushed.append((os.path.samestat(os.fstat(handle), tmp_path.stat()), names(tmp_path)))

    monkeypatch.setattr(os, "fsync", note)
    await px.exports.download(export_id, tmp_path, artifacts="csv", durability="fsync")
    (folder, there), after = flushed
    assert not folder
    assert f"{export_id}.csv" not in there
    assert after == (True, [f"{export_id}.csv"])


async def test_trap_12_a_trickle_for_ever_is_a_stall(server: Emulator, tmp_path: Path) -> None:
    """Every try brings new bytes, and none of them progress."""
    export_id = add(server)
    server.inject(Trickle(block=1, delay=0.005), times=None)
    async with server.client(retry=RetryPolicy(attempts=2, wait_initial=0), stall_timeout=0.1) as px:
        with pytest.raises(DownloadGroupError) as caught:
            await px.exports.download(export_id, tmp_path, artifacts="csv")
    assert isinstance(caught.value.report.failures["csv"], StalledError)


async def test_trap_23_a_full_disk_stops_the_others(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no room for one; the others are not even tried, and every one says so."""
    export_id = add(server, **{artifact.value: os.urandom(LARGE) for artifact in Artifact})
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
    assert "stopped, for the disk takes nothing more" in str(failures["csv"])
    assert {event.artifact for event in events if event.kind is ProgressKind.FAILED} == set(Artifact)
    assert names(tmp_path) == []


async def test_a_run_that_may_not_publish_leaves_its_partial_to_the_next(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Another file has appeared; with `overwrite` the next run has nothing to fetch."""
    export_id = add(server, csv=os.urandom(LARGE))
    target = tmp_path / f"{export_id}.csv"

    def intrude(event: ProgressEvent) -> None:
        if event.received == LARGE:
            target.write_text("theirs")

    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True, on_progress=intrude)
    assert "another file of 6 bytes has appeared" in str(caught.value.report.failures["csv"])
    assert target.read_text() == "theirs"
    report = await px.exports.download(export_id, tmp_path, artifacts="csv", resume=True, overwrite=True)
    assert report.files["csv"].path.read_bytes() == server.content(export_id, "csv")
    assert ranges(server) == [None, f"bytes={LARGE}-", f"bytes={LARGE - 1}-"]
    assert names(tmp_path) == [target.name]


async def test_windows_is_asked_again_when_it_lets_nobody_replace(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scanner looks at the file for a moment; another error is none of that."""
    export_id = add(server)
    refusals = [5, 32, 5]
    replace = os.replace

    def scanned(source: Path, target: Path) -> None:
        if refusals and target.suffix == ".csv":
            error = PermissionError("in use")
            error.winerror = refusals.pop()  # type: ignore[attr-defined]
            raise error
        replace(source, target)

    monkeypatch.setattr(os, "replace", scanned)
    monkeypatch.setattr(operations, "_SHARING_DELAYS", (0, 0, 0))
    assert (await px.exports.download(export_id, tmp_path, artifacts="csv")).ok
    refusals += [5] * 4
    with pytest.raises(DownloadGroupError):
        await px.exports.download(export_id, tmp_path, artifacts="csv", overwrite=True)


async def test_trap_16_names_are_looked_up_on_threads_of_their_own(server: Emulator, tmp_path: Path) -> None:
    """A default executor that is busy for ever stops no download from a host with a name."""
    export_id = add(server)
    base_url = server.base_url.replace("127.0.0.1", "localhost")
    loop = asyncio.get_running_loop()
    free = threading.Event()
    waiting = [loop.run_in_executor(None, free.wait) for _ in range(64)]
    try:
        async with AsyncPackageX(server.api_key, base_url=base_url) as px:
            report = await px.exports.download(export_id, tmp_path, artifacts="csv")
    finally:
        free.set()
        await asyncio.gather(*waiting)
    assert report.ok
