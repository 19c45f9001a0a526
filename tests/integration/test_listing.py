"""Listings with malformed items, hostile fields, missing pagination and failing pages."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from packagex_async import (
    AsyncPackageX,
    BadRequestError,
    DecodeError,
    NotFoundError,
    PackageXError,
    PaginationError,
    ServerError,
)
from packagex_async._listing.paginator import BATCH_SIZE
from packagex_async.testing import Emulator
from tests.support import NO_BACKOFF


class Pages:
    """A server that sends the given pages: JSON content by page number, or a status."""

    def __init__(self) -> None:
        self.answers: dict[int, Any] = {}
        self.requested: list[int] = []
        self.default: Any = {"data": []}

    async def answer(self, request: web.Request) -> web.Response:
        if "page" not in request.query:
            return web.json_response({"id": request.path.rpartition("/")[2], "status": "completed"})
        number = int(request.query["page"])
        self.requested.append(number)
        answer = self.answers.get(number, self.default)
        if isinstance(answer, int):
            return web.json_response({"message": "no"}, status=answer)
        return web.Response(body=json.dumps(answer).encode(), content_type="application/json")


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
async def client(pages: Pages) -> AsyncIterator[AsyncPackageX]:
    """A client of that server."""
    app = web.Application()
    app.router.add_get("/v1/exports{rest:.*}", pages.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with AsyncPackageX("px_key", base_url=address, retry=NO_BACKOFF) as px:
        yield px
    await runner.cleanup()


def page(*items: Any, **pagination: Any) -> dict[str, Any]:
    return {"status": 200, "data": list(items), "pagination": pagination or None}


def exports(first: int, last: int) -> list[dict[str, Any]]:
    return [{"id": f"exp_{number}"} for number in range(first, last)]


async def read_all(px: AsyncPackageX, **options: Any) -> tuple[list[str], PackageXError | None]:
    """Return the ids that a listing yields, and the error at its end, if any."""
    ids: list[str] = []
    try:
        async for export in px.exports.list(**options):
            ids.append(export.id)
    except PackageXError as error:
        return ids, error
    return ids, None


async def test_trap_24_malformed_items_are_skipped(
    pages: Pages, client: AsyncPackageX, caplog: pytest.LogCaptureFixture
) -> None:
    """All exports are yielded. The error at the end names the first item, the log each page."""
    pages.answers = {
        1: page(None, *exports(0, 2), {"id": 7}, has_more=True),
        2: page(*exports(2, 4), "exp_x", has_more=True),
        3: page(*exports(4, 5), has_more=False),
    }
    ids, error = await read_all(client)
    assert ids == [f"exp_{number}" for number in range(5)]
    assert isinstance(error, DecodeError)
    assert str(error).startswith("page 1: GET /v1/exports: data[0] is not an export but null (and 2 more)")
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(lines) == 2
    assert lines[0].startswith("page 1 of the listing: 2 items are left out: GET /v1/exports: data[0]")
    assert lines[1].startswith("page 2 of the listing: 1 item is left out: GET /v1/exports: data[2]")
    read = []
    with pytest.raises(DecodeError):
        async for one in client.exports.pages():
            read.append((len(one), one.malformed))
    assert read == [(2, 2), (2, 1), (1, 0)]


async def test_trap_24_malformed_item_in_download_all(
    pages: Pages, client: AsyncPackageX, tmp_path: Path
) -> None:
    """All exports are downloaded before the error is raised."""
    completed = [export | {"status": "completed"} for export in exports(0, 3)]
    pages.answers = {1: page(*completed, [], has_more=False)}
    reports = []
    with pytest.raises(DecodeError, match=r"data\[3\] is not an export but an array"):
        async for report in client.exports.download_all(tmp_path):
            reports.append(report)
    assert sorted(report.export_id for report in reports) == ["exp_0", "exp_1", "exp_2"]
    assert all(report.ok for report in reports)


@pytest.mark.parametrize(
    "hostile",
    [
        {"id": "../../etc/passwd"},
        {"id": "a/b?c#d"},
        {"id": "x" * 9000},
        {"id": "exp_\x00\x1b[2J\r\n"},
        {"id": "exp_2", "status": ["completed"], "resource": {}, "name": {"a": 1}, "created_at": [1]},
        {
            "id": "exp_2",
            "created_at": "9999-12-31T23:59:59Z",
            "updated_at": -(10**30),
            "count_total": "9" * 5000,
        },
        {
            "id": "exp_2",
            "created_at": "0001-01-01T00:00:00Z",
            "_csv_url": 7,
            "_json_url": [],
            "name": "\ud800",
        },
        {"id": "exp_2", "status": "COMPLETED", "resource": "\ud800\x00/..", "extra": [[[[]]]]},
    ],
    ids=lambda hostile: str(hostile)[:40],
)
@pytest.mark.parametrize("layout", ["flat", "{resource}/{created:%Y-%m-%d}/{id}"])
async def test_hostile_fields_affect_only_their_export(
    pages: Pages, client: AsyncPackageX, tmp_path: Path, hostile: dict[str, Any], layout: str
) -> None:
    """Every other export is listed and downloaded."""
    folder = tmp_path / "folder"
    valid = [export | {"status": "completed"} for export in exports(0, 2)]
    pages.answers = {1: page(valid[0], hostile, valid[1], has_more=False)}
    reports = {
        report.export_id: report async for report in client.exports.download_all(folder, layout=layout)
    }
    assert len(reports) == 3
    assert all(reports[export["id"]].ok for export in valid)
    assert [path.name for path in tmp_path.iterdir()] in ([], ["folder"])
    assert (await read_all(client))[0] == ["exp_0", hostile["id"], "exp_1"]


@pytest.mark.parametrize("pagination", [None, {}, {"limit": 100}, {"has_more": None}, {"page": 1}, [], "x"])
async def test_capped_listing_without_has_more(pages: Pages, client: AsyncPackageX, pagination: Any) -> None:
    """Without a total count, an empty page is the end."""
    pages.answers = {
        number: {"data": exports(25 * number - 25, min(25 * number, 60)), "pagination": pagination}
        for number in (1, 2, 3)
    }
    assert await read_all(client) == ([f"exp_{number}" for number in range(60)], None)
    assert pages.requested == [1, 2, 3, 4]
    assert [len(one) async for one in client.exports.pages()] == [25, 25, 10]


async def test_total_count_avoids_a_request_past_the_end(pages: Pages, client: AsyncPackageX) -> None:
    """It replaces a missing `has_more`."""
    pages.answers = {
        number: page(*exports(25 * number - 25, min(25 * number, 60)), total_count=60) for number in (1, 2, 3)
    }
    assert len((await read_all(client))[0]) == 60
    assert pages.requested == [1, 2, 3]


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_error_response_past_the_end(pages: Pages, client: AsyncPackageX, status: int) -> None:
    """It is an error only if the API said that there is more."""
    pages.default = status
    pages.answers = {1: {"data": exports(0, 3)}}
    assert await read_all(client) == (["exp_0", "exp_1", "exp_2"], None)
    assert pages.requested == [1, 2]
    pages.answers = {1: page(*exports(0, 3), has_more=True)}
    ids, error = await read_all(client)
    assert (len(ids), type(error)) == (3, NotFoundError if status == 404 else BadRequestError)


async def test_error_response_to_the_first_page(pages: Pages, client: AsyncPackageX) -> None:
    """It is an error, like a server error on any page."""
    pages.default = 404
    assert type((await read_all(client))[1]) is NotFoundError
    pages.default = 500
    pages.answers = {1: {"data": exports(0, 3)}}
    assert type((await read_all(client))[1]) is ServerError


@pytest.mark.parametrize(
    "pagination",
    [
        {"has_more": True},
        {"has_more": True, "total_count": 1000},
        {"total_count": 1000},
        {"has_more": True, "limit": 3},
    ],
)
@pytest.mark.parametrize("prefetch", [0, 16])
async def test_trap_25_server_that_ignores_page_causes_few_requests(
    pages: Pages, client: AsyncPackageX, pagination: dict[str, Any], prefetch: int
) -> None:
    """Each export is yielded once before the error."""
    pages.default = page(*exports(0, 3), **pagination)
    ids, error = await read_all(client, prefetch=prefetch, limit=3)
    assert ids == ["exp_0", "exp_1", "exp_2"]
    assert isinstance(error, PaginationError)
    assert len(pages.requested) <= 5


@pytest.mark.parametrize("malformed", [False, True])
async def test_large_page(pages: Pages, client: AsyncPackageX, malformed: bool) -> None:
    """All exports are yielded in order, by `list` and as one page by `pages`."""
    items: list[Any] = exports(0, 3 * BATCH_SIZE + 1)
    if malformed:
        items[BATCH_SIZE] = None
    pages.answers = {1: page(*items, has_more=False)}
    ids, error = await read_all(client)
    assert ids == [item["id"] for item in items if item]
    assert isinstance(error, DecodeError) == malformed
    read = []
    try:
        async for one in client.exports.pages():
            read.append(one)
    except DecodeError:
        assert malformed
    assert [(len(one), one.malformed) for one in read] == [(len(ids), int(malformed))]


async def test_short_search_terms_are_sent_to_the_api(server: Emulator, px: AsyncPackageX) -> None:
    """The error of the API explains what it accepts."""
    with pytest.raises(BadRequestError) as caught:
        await read_or_raise(px, search="AT & T")
    assert caught.value.errors == ("search",)
    assert server.requests[0].query["search"] == "AT & T"


async def read_or_raise(px: AsyncPackageX, **options: Any) -> None:
    async for _ in px.exports.list(**options):
        pass
