"""What a listing hands out when items, pages or the whole of it are not what they should be."""

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
from tests.support import AT_ONCE


class Pages:
    """A server whose pages are what a test says: JSON content by number, or a status."""

    def __init__(self) -> None:
        self.answers: dict[int, Any] = {}
        self.asked: list[int] = []
        self.beyond: Any = {"data": []}

    async def answer(self, request: web.Request) -> web.Response:
        if "page" not in request.query:
            return web.json_response({"id": request.path.rpartition("/")[2], "status": "completed"})
        number = int(request.query["page"])
        self.asked.append(number)
        answer = self.answers.get(number, self.beyond)
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
    async with AsyncPackageX("px_key", base_url=address, retry=AT_ONCE) as px:
        yield px
    await runner.cleanup()


def page(*items: Any, **pagination: Any) -> dict[str, Any]:
    return {"status": 200, "data": list(items), "pagination": pagination or None}


def exports(first: int, last: int) -> list[dict[str, Any]]:
    return [{"id": f"exp_{number}"} for number in range(first, last)]


async def drained(px: AsyncPackageX, **options: Any) -> tuple[list[str], PackageXError | None]:
    """The ids that a listing yields, and the error that it ends in, if it does."""
    ids: list[str] = []
    try:
        async for export in px.exports.list(**options):
            ids.append(export.id)
    except PackageXError as error:
        return ids, error
    return ids, None


async def test_trap_24_what_is_no_export_sinks_neither_its_page_nor_the_listing(
    pages: Pages, client: AsyncPackageX, caplog: pytest.LogCaptureFixture
) -> None:
    """All others are yielded; then an error says where the first of them stands, and the log of each page."""
    pages.answers = {
        1: page(None, *exports(0, 2), {"id": 7}, has_more=True),
        2: page(*exports(2, 4), "exp_x", has_more=True),
        3: page(*exports(4, 5), has_more=False),
    }
    ids, error = await drained(client)
    assert ids == [f"exp_{number}" for number in range(5)]
    assert isinstance(error, DecodeError)
    assert str(error).startswith("page 1: GET /v1/exports: data[0] is not an export but null (and 2 more)")
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(lines) == 2
    assert lines[0].startswith("page 1 of the listing: 2 items are left out: GET /v1/exports: data[0]")
    assert lines[1].startswith("page 2 of the listing: 1 item is left out: GET /v1/exports: data[2]")
    told = []
    with pytest.raises(DecodeError):
        async for one in client.exports.pages():
            told.append((len(one), one.malformed))
    assert told == [(2, 2), (2, 1), (1, 0)]


async def test_trap_24_what_is_no_export_sinks_no_download_of_others(
    pages: Pages, client: AsyncPackageX, tmp_path: Path
) -> None:
    """All others have their reports before the error is raised."""
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
async def test_a_hostile_export_affects_its_own_report_alone(
    pages: Pages, client: AsyncPackageX, tmp_path: Path, hostile: dict[str, Any], layout: str
) -> None:
    """Whatever its fields are, every other export is listed and has its report."""
    folder = tmp_path / "folder"
    good = [export | {"status": "completed"} for export in exports(0, 2)]
    pages.answers = {1: page(good[0], hostile, good[1], has_more=False)}
    reports = {
        report.export_id: report async for report in client.exports.download_all(folder, layout=layout)
    }
    assert len(reports) == 3
    assert all(reports[export["id"]].ok for export in good)
    assert [path.name for path in tmp_path.iterdir()] in ([], ["folder"])
    assert (await drained(client))[0] == ["exp_0", hostile["id"], "exp_1"]


@pytest.mark.parametrize("pagination", [None, {}, {"limit": 100}, {"has_more": None}, {"page": 1}, [], "x"])
async def test_a_capped_listing_without_has_more_is_read_to_its_end(
    pages: Pages, client: AsyncPackageX, pagination: Any
) -> None:
    """The end is an empty page, if nothing else tells it."""
    pages.answers = {
        number: {"data": exports(25 * number - 25, min(25 * number, 60)), "pagination": pagination}
        for number in (1, 2, 3)
    }
    assert await drained(client) == ([f"exp_{number}" for number in range(60)], None)
    assert pages.asked == [1, 2, 3, 4]
    assert [len(one) async for one in client.exports.pages()] == [25, 25, 10]


async def test_a_total_count_spares_the_page_past_the_end(pages: Pages, client: AsyncPackageX) -> None:
    """Without `has_more`, it says that all are there."""
    pages.answers = {
        number: page(*exports(25 * number - 25, min(25 * number, 60)), total_count=60) for number in (1, 2, 3)
    }
    assert len((await drained(client))[0]) == 60
    assert pages.asked == [1, 2, 3]


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_a_page_that_is_not_there_is_the_end_where_it_may_be(
    pages: Pages, client: AsyncPackageX, status: int
) -> None:
    """Where the API said that there is more, it is an error."""
    pages.beyond = status
    pages.answers = {1: {"data": exports(0, 3)}}
    assert await drained(client) == (["exp_0", "exp_1", "exp_2"], None)
    assert pages.asked == [1, 2]
    pages.answers = {1: page(*exports(0, 3), has_more=True)}
    ids, error = await drained(client)
    assert (len(ids), type(error)) == (3, NotFoundError if status == 404 else BadRequestError)


async def test_a_first_page_that_is_refused_is_no_end(pages: Pages, client: AsyncPackageX) -> None:
    """And neither is one that the server fails to give."""
    pages.beyond = 404
    assert type((await drained(client))[1]) is NotFoundError
    pages.beyond = 500
    pages.answers = {1: {"data": exports(0, 3)}}
    assert type((await drained(client))[1]) is ServerError


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
async def test_trap_25_a_server_that_ignores_page_fails_within_a_few_requests(
    pages: Pages, client: AsyncPackageX, pagination: dict[str, Any], prefetch: int
) -> None:
    """What it has told of is yielded once."""
    pages.beyond = page(*exports(0, 3), **pagination)
    ids, error = await drained(client, prefetch=prefetch, limit=3)
    assert ids == ["exp_0", "exp_1", "exp_2"]
    assert isinstance(error, PaginationError)
    assert len(pages.asked) <= 5


@pytest.mark.parametrize("malformed", [False, True])
async def test_a_large_page_is_handed_out_in_parts(
    pages: Pages, client: AsyncPackageX, malformed: bool
) -> None:
    """All of it, in order, as exports and as one page."""
    items: list[Any] = exports(0, 3 * BATCH_SIZE + 1)
    if malformed:
        items[BATCH_SIZE] = None
    pages.answers = {1: page(*items, has_more=False)}
    ids, error = await drained(client)
    assert ids == [item["id"] for item in items if item]
    assert isinstance(error, DecodeError) == malformed
    told = []
    try:
        async for one in client.exports.pages():
            told.append(one)
    except DecodeError:
        assert malformed
    assert [(len(one), one.malformed) for one in told] == [(len(ids), int(malformed))]


async def test_search_terms_of_one_letter_are_left_to_the_api(server: Emulator, px: AsyncPackageX) -> None:
    """Its refusal says what it takes."""
    with pytest.raises(BadRequestError) as caught:
        await drained_or_raise(px, search="AT & T")
    assert caught.value.errors == ("search",)
    assert server.requests[0].query["search"] == "AT & T"


async def drained_or_raise(px: AsyncPackageX, **options: Any) -> None:
    async for _ in px.exports.list(**options):
        pass
