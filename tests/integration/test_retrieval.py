"""Every answer about one export is about the export that was asked for, whichever call has asked."""

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
from tests.support import FakeClock, exports_on, names

OTHERS = ["exp_other", "EXP_1", "exp_1 ", "exp_11", "exp_", "exp_1\x1b]0;title\x07"]


@attrs.frozen
class Impostor(Fault):
    """Whoever retrieves an export gets another one.

    Attributes:
        told: The id of the other one.
        after: How many answers are right before.
    """

    told: str
    after: int = 0
    seen: list[bool] = attrs.field(factory=list)

    def strikes(self, request: RecordedRequest) -> bool:
        if request.host != "api" or request.export_id is None:
            return False
        self.seen.append(True)
        return len(self.seen) > self.after

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        envelope = json.loads(reply.body)
        envelope["data"]["id"] = self.told
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
            pytest.fail("these are the bytes of another export")


Call = Callable[[AsyncExports, str, Path], Awaitable[None]]
CALLS: list[Call] = [retrieve, wait, download, download_listed, download_all, stream]


@pytest.mark.parametrize("told", OTHERS)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
async def test_an_answer_about_another_export_is_an_error(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, call: Call, told: str
) -> None:
    """It names both, in one line, and nothing of the other one reaches the disk."""
    server.add_export(export_id="exp_1", content={"csv": b"1"})
    server.inject(Impostor(told), times=None)
    with pytest.raises(
        DecodeError, match=r"contains export .* instead of the requested export exp_1"
    ) as caught:
        await call(px.exports, "exp_1", tmp_path)
    assert told.encode("unicode_escape").decode().partition("\\")[0] in str(caught.value)
    assert str(caught.value).isprintable()
    assert [name for name in names(tmp_path) if "exp" in name] == []


async def test_links_of_another_export_are_no_fresh_links(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """An expired link is not renewed by them; the error names both exports."""
    server.add_export(export_id="exp_1", content={"csv": b"1"})
    server.inject(Impostor("exp_2", after=1), times=None)
    server.inject(Expired(), times=None)
    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download("exp_1", tmp_path)
    failure = caught.value.report.failures["csv"]
    assert isinstance(failure, LinkExpiredError)
    assert "contains export exp_2 instead of the requested export exp_1" in str(failure)
    assert isinstance(failure.__cause__, DecodeError)
    assert names(tmp_path) == []


async def test_an_export_that_is_waited_for_in_bulk_is_the_one_that_was_listed(
    server: Emulator, tmp_path: Path
) -> None:
    """Its own report says so."""
    server.add_export(export_id="exp_1", status="processing")
    server.inject(Impostor("exp_2", after=1), times=None)
    async with exports_on(FakeClock(), server) as exports:
        (report,) = [report async for report in exports.download_all(tmp_path, wait=True)]
    assert report.export_id == "exp_1"
    assert isinstance(report.error, DecodeError)
    assert "exp_2" in str(report.error)


async def test_an_export_that_was_created_is_the_one_that_is_waited_for(tmp_path: Path) -> None:
    """Or nothing is downloaded."""
    clock = FakeClock()
    life = Life(queued=3, processing=20, rows=4)
    maker: AbstractAsyncContextManager[Emulator] = Emulator(populate=False, now=clock.time, life=life)
    async with maker as server, exports_on(clock, server) as exports:
        server.inject(Impostor("exp_2", after=2), times=None)
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
async def test_a_link_that_is_none_fails_its_artifact_alone(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, url: Any
) -> None:
    """It is offered, so it is not missing; the other artifacts arrive, and the next run asks again."""
    server.add_export(export_id="exp_1", content={"csv": b"1", "json": b"2"})
    server.inject(Linked(url), times=None)
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
class Linked(Fault):
    """The CSV's URL is another one, or none at all."""

    url: Any

    def strikes(self, request: RecordedRequest) -> bool:
        return request.host == "api" and request.export_id is not None

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        envelope = json.loads(reply.body)
        envelope["data"]["_csv_url"] = self.url
        return Reply.of(200, json.dumps(envelope).encode())
