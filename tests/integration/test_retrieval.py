"""Responses about another export than the requested one, and invalid URLs, in every method."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import attrs
import pytest

from packagex_async import (
    AsyncExports,
    AsyncPackageX,
    DecodeError,
    DownloadGroupError,
    LinkExpiredError,
    PackageXError,
)
from packagex_async.testing import Emulator, Expired, Life, RecordedRequest
from packagex_async.testing.faults import Fault
from packagex_async.testing.server.reply import Reply
from tests.support import FakeClock, names, open_exports

OTHERS = ["exp_other", "EXP_1", "exp_1 ", "exp_11", "exp_", "exp_1\x1b]0;title\x07"]


@attrs.frozen
class OtherExport(Fault):
    """Every retrieval returns another export.

    Attributes:
        export_id: Id of the other export.
        after: Number of correct responses before.
    """

    export_id: str
    after: int = 0
    seen: list[bool] = attrs.field(factory=list)

    def matches(self, request: RecordedRequest) -> bool:
        if request.host != "api" or request.export_id is None:
            return False
        self.seen.append(True)
        return len(self.seen) > self.after

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        envelope = json.loads(reply.body)
        envelope["data"]["id"] = self.export_id
        return Reply.of(200, json.dumps(envelope).encode())


async def retrieve(exports: AsyncExports, export_id: str, folder: Path) -> None:
    await exports.retrieve(export_id)


async def wait(exports: AsyncExports, export_id: str, folder: Path) -> None:
    await exports.wait(export_id)


async def download(exports: AsyncExports, export_id: str, folder: Path) -> None:
    await exports.download(export_id, folder)


async def download_listed(exports: AsyncExports, export_id: str, folder: Path) -> None:
    async for export in exports.list():
        await exports.download(export, folder)


async def download_all(exports: AsyncExports, export_id: str, folder: Path) -> None:
    async for report in exports.download_all(folder):
        assert report.export_id == export_id
        report.raise_for_failures()


async def stream(exports: AsyncExports, export_id: str, folder: Path) -> None:
    async with exports.stream(export_id, "csv") as body:
        async for _ in body:
            pytest.fail("received bytes of another export")


Call = Callable[[AsyncExports, str, Path], Awaitable[None]]
CALLS: list[Call] = [retrieve, wait, download, download_listed, download_all, stream]


@pytest.mark.parametrize("other_id", OTHERS)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
async def test_response_about_another_export(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, call: Call, other_id: str
) -> None:
    """The error has both ids in one line, and no file is written."""
    server.add_export(export_id="exp_1", content={"csv": b"1"})
    server.inject(OtherExport(other_id), times=None)
    with pytest.raises(
        DecodeError, match=r"contains export .* instead of the requested export exp_1"
    ) as caught:
        await call(px.exports, "exp_1", tmp_path)
    assert other_id.encode("unicode_escape").decode().partition("\\")[0] in str(caught.value)
    assert str(caught.value).isprintable()
    assert [name for name in names(tmp_path) if "exp" in name] == []


async def test_urls_of_another_export_are_not_used(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """They do not replace an expired URL. The error has both ids."""
    server.add_export(export_id="exp_1", content={"csv": b"1"})
    server.inject(OtherExport("exp_2", after=1), times=None)
    server.inject(Expired(), times=None)
    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download("exp_1", tmp_path)
    failure = caught.value.report.failures["csv"]
    assert isinstance(failure, LinkExpiredError)
    assert "contains export exp_2 instead of the requested export exp_1" in str(failure)
    assert isinstance(failure.__cause__, DecodeError)
    assert names(tmp_path) == []


async def test_download_all_polls_the_listed_export(server: Emulator, tmp_path: Path) -> None:
    """The report of the listed export has the error."""
    server.add_export(export_id="exp_1", status="processing")
    server.inject(OtherExport("exp_2", after=1), times=None)
    async with open_exports(FakeClock(), server) as exports:
        (report,) = [report async for report in exports.download_all(tmp_path, wait=True)]
    assert report.export_id == "exp_1"
    assert isinstance(report.error, DecodeError)
    assert "exp_2" in str(report.error)


async def test_export_and_download_polls_the_created_export(tmp_path: Path) -> None:
    """Nothing is downloaded otherwise."""
    clock = FakeClock()
    life = Life(queued=3, processing=20, rows=4)
    maker: AbstractAsyncContextManager[Emulator] = Emulator(populate=False, now=clock.time, life=life)
    async with maker as server, open_exports(clock, server) as exports:
        server.inject(OtherExport("exp_2", after=2), times=None)
        with pytest.raises(DecodeError, match="contains export exp_2 instead of the requested export"):
            await exports.export_and_download("contact", tmp_path)
    assert names(tmp_path) == []


URLS: list[Any] = [
    " ",
    "//host/a",
    "a.csv",
    "/a",
    "ftp://host/a",
    "https://",
    7,
    True,
    ["https://host/a"],
    {},
]


@pytest.mark.parametrize("url", URLS, ids=repr)
async def test_invalid_url_fails_only_its_artifact(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, url: Any
) -> None:
    """The artifact is not missing. The others are downloaded, and the next run tries again."""
    server.add_export(export_id="exp_1", content={"csv": b"1", "json": b"2"})
    server.inject(ReplacedUrl(url), times=None)
    for _ in range(2):
        (report,) = [report async for report in px.exports.download_all(tmp_path)]
        assert report.files.keys() == ("json",)
        assert report.missing == ("csv_error", "csv_sanitized")
        assert report.failures.keys() == ("csv",)
        assert "the URL is not allowed" in str(report.failures["csv"])
    with pytest.raises(PackageXError, match="the URL is not allowed"):
        async with px.exports.stream("exp_1", "csv"):
            pass


@attrs.frozen
class ReplacedUrl(Fault):
    """The URL of the CSV is replaced."""

    url: Any

    def matches(self, request: RecordedRequest) -> bool:
        return request.host == "api" and request.export_id is not None

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        envelope = json.loads(reply.body)
        envelope["data"]["_csv_url"] = self.url
        return Reply.of(200, json.dumps(envelope).encode())
