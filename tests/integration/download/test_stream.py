"""Streams: an artifact as an asynchronous iterator of bytes, without a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from packagex_async import (
    Artifact,
    AsyncPackageX,
    ChecksumError,
    ConfigurationError,
    DownloadError,
    IncompleteBodyError,
    RetryPolicy,
    StalledError,
    StorageError,
)
from packagex_async.testing import (
    Cut,
    Emulator,
    Expired,
    IgnoreRange,
    NoHash,
    RecordedRequest,
    Replace,
    Stall,
    Status,
    Undeclared,
    WrongHash,
)
from packagex_async.testing.data.store import Store
from packagex_async.testing.faults import TargetedFault
from packagex_async.testing.server.reply import Reply
from tests.integration.download.helpers import add
from tests.support import NO_BACKOFF, names
from tests.time_limits import LIMITED


class InterruptedChunkedBody(Undeclared):
    """A chunked body that ends early."""

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        return Cut(20_000).rewrite_response(super().rewrite_response(reply, request), request)


async def test_stream_does_not_write_files(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes are those of the artifact; leaving the block early is allowed."""
    monkeypatch.chdir(tmp_path)
    export_id = add(server, 1_000_000)
    async with px.exports.stream(export_id, Artifact.CSV) as body:
        assert b"".join([block async for block in body]) == server.content(export_id, "csv")
    server.inject(NoHash())
    async with px.exports.stream(export_id, "json") as body:
        async for block in body:
            assert server.content(export_id, "json").startswith(block)
            break
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Cut(0), IncompleteBodyError),
        (WrongHash(), ChecksumError),
        (Stall(0), StalledError),
    ],
)
@pytest.mark.usefixtures("limits")
async def test_trap_01_incomplete_stream_raises(
    server: Emulator, fault: TargetedFault, kind: type[DownloadError]
) -> None:
    """The iteration ends normally only if length and hash match."""
    export_id = add(server, 50_000)
    server.inject(fault, times=None)
    async with server.client(retry=RetryPolicy(attempts=2, wait_initial=0), **LIMITED) as px:
        with pytest.raises(kind):
            async with px.exports.stream(export_id, "csv") as body:
                [block async for block in body]


class ShortRanges(TargetedFault):
    """Respond to a range with its first thousand bytes."""

    def rewrite_request(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        start = int(request.headers.get("Range", "bytes=0-").strip("bytes=-"))
        return request.with_headers({**request.headers, "Range": f"bytes={start}-{start + 999}"})


@pytest.mark.parametrize("fault", [Cut(20_000), Stall(20_000), Cut(0)])
@pytest.mark.usefixtures("limits")
async def test_trap_02_interrupted_stream_resumes(server: Emulator, fault: TargetedFault) -> None:
    """No byte is missing or repeated, and the hash of the artifact still matches."""
    export_id = add(server, 50_000)
    server.inject(fault)
    server.inject(Cut(10_000))
    server.inject(ShortRanges())
    server.inject(Expired())
    async with server.client(retry=NO_BACKOFF, **LIMITED) as px:
        async with px.exports.stream(export_id, "csv") as body:
            assert b"".join([block async for block in body]) == server.content(export_id, "csv")


@pytest.mark.parametrize("faults", [[Cut(20_000), Replace(b"other")], [InterruptedChunkedBody()]])
async def test_trap_02_stream_does_not_continue_with_other_object(
    server: Emulator, px: AsyncPackageX, faults: list[TargetedFault]
) -> None:
    """A replaced object ends the stream with an error."""
    export_id = add(server, 50_000)
    for fault in faults:
        server.inject(fault)
    with pytest.raises(DownloadError):
        async with px.exports.stream(export_id, "csv") as body:
            [block async for block in body]


@pytest.mark.parametrize("fault", [IgnoreRange(), Undeclared()])
async def test_stream_skips_received_bytes_without_ranges(
    server: Emulator, px: AsyncPackageX, fault: TargetedFault
) -> None:
    """A 200 with matching validators is read from its first byte, and bytes already yielded are skipped."""
    export_id = add(server, 50_000)
    server.inject(Cut(20_000))
    server.inject(fault)
    async with px.exports.stream(export_id, "csv") as body:
        assert b"".join([block async for block in body]) == server.content(export_id, "csv")


async def test_stream_request_is_retried(server: Emulator, px: AsyncPackageX) -> None:
    """Failed requests are retried before the first byte."""
    export_id = add(server, 50_000)
    server.inject(Status(503, on="storage"), times=2)
    async with px.exports.stream(export_id, "csv") as body:
        assert b"".join([block async for block in body]) == server.content(export_id, "csv")


async def test_stream_of_missing_artifact(server: Emulator, px: AsyncPackageX) -> None:
    """A missing artifact is a `StorageError`, and an unknown one a `ConfigurationError`."""
    export = server.add_export(rows=1)
    with pytest.raises(
        StorageError, match=f"export {export.id}, artifact csv_error: the export does not offer it"
    ):
        async with px.exports.stream(export.id, "csv_error"):
            pytest.fail("the artifact does not exist")
    with pytest.raises(ConfigurationError, match="not 'xlsx'"):
        async with px.exports.stream(export.id, "xlsx"):  # type: ignore[arg-type]
            pytest.fail("the artifact does not exist")
