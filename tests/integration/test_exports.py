"""The resource: list, pages, retrieve, and which export may be downloaded."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import math
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from aioresponses import aioresponses
from hypothesis import given, settings
from hypothesis import strategies as st

from packagex_async import (
    Artifact,
    AsyncPackageX,
    ConfigurationError,
    DecodeError,
    Direction,
    Export,
    ExportFailedError,
    ExportGoneError,
    ExportNotReadyError,
    ExportResource,
    ExportStatus,
    ExportTimedOutError,
    NotFoundError,
    OrderBy,
    PackageXError,
    PaginationError,
)
from packagex_async.testing import Delete, Dialect, Emulator
from tests.support import examples

LIST = "https://api.packagex.io/v1/exports"


def fill(server: Emulator, count: int, **options: Any) -> list[str]:
    base = server.now() - 3600
    return [server.add_export(rows=1, created_at=base + number, **options).id for number in range(count)]


async def ids(px: AsyncPackageX, **filters: Any) -> list[str]:
    return [export.id async for export in px.exports.list(**filters)]


async def test_every_export_is_yielded_across_pages(server: Emulator, px: AsyncPackageX) -> None:
    """Oldest first unless asked otherwise, at any limit."""
    expected = fill(server, 7)
    assert await ids(px) == expected
    assert await ids(px, limit=2) == expected
    assert await ids(px, limit=7, direction="desc") == expected[::-1]
    assert await ids(px, limit=1, order_by=OrderBy.CREATED_AT, direction=Direction.DESC) == expected[::-1]
    assert await ids(px, page=2, limit=3) == expected[3:]


async def test_an_empty_listing_is_one_empty_page(server: Emulator, px: AsyncPackageX) -> None:
    """And no export."""
    assert await ids(px) == []
    assert [len(page) async for page in px.exports.pages()] == [0]
    assert len(server.requests) == 2


async def test_a_server_that_caps_the_limit_is_fine() -> None:
    """Its own page size counts."""
    async with Emulator(populate=False, limit_cap=3) as server, server.client() as px:
        expected = fill(server, 8)
        assert await ids(px, limit=1000) == expected
        assert len(server.requests) == 3


async def test_pages_are_the_same_a_page_at_a_time(server: Emulator, px: AsyncPackageX) -> None:
    """With where they stand."""
    expected = fill(server, 5)
    pages = [page async for page in px.exports.pages(limit=2)]
    assert [[export.id for export in page] for page in pages] == [expected[:2], expected[2:4], expected[4:]]
    assert [page.pagination.has_more for page in pages] == [True, True, False]
    assert pages[0].pagination.total_count == 5


async def test_every_filter_reaches_the_api(server: Emulator, px: AsyncPackageX) -> None:
    """Enums or strings, one status or several."""
    wanted = server.add_export(resource="tracker", status="failed", name="May trackers", rows=1).id
    other = server.add_export(resource="contact", status="completed", name="June", rows=1).id
    server.add_export(resource="shipment", status="queued", name="July", rows=1)
    assert await ids(px, resource=ExportResource.TRACKER) == await ids(px, resource="tracker") == [wanted]
    assert await ids(px, statuses=ExportStatus.FAILED) == await ids(px, statuses="failed") == [wanted]
    assert await ids(px, statuses=["failed", ExportStatus.COMPLETED]) == [wanted, other]
    assert await ids(px, search="may tr") == [wanted]


def test_a_bad_parameter_is_refused_before_any_request() -> None:
    """At the call, not at the first step of the loop."""
    px = AsyncPackageX("px_key")
    bads: list[dict[str, Any]] = [{"limit": 0}, {"search": " "}, {"page": -1}, {"direction": "sideways"}]
    for bad in bads:
        with pytest.raises(ConfigurationError):
            px.exports.list(**bad)
        with pytest.raises(ConfigurationError):
            px.exports.pages(**bad)


async def test_trap_25_expiry_during_the_default_walk_hides_nothing(
    server: Emulator, px: AsyncPackageX
) -> None:
    """The oldest vanish page by page; all others arrive, each once."""
    expected = fill(server, 9)
    for page in (1, 2, 3):
        server.inject(Delete(expected[page - 1], after_pages=page))
    listed = await ids(px, limit=2)
    assert set(expected[3:]) <= set(listed)
    assert len(listed) == len(set(listed))


async def test_trap_25_a_server_that_ignores_page_is_an_error(api: aioresponses) -> None:
    """Not a loop, and nothing is yielded twice."""
    answer = {"data": [{"id": "exp_1"}], "pagination": {"has_more": True, "page": 1}}
    for page in (1, 2):
        api.get(f"{LIST}?page={page}&limit=1", payload=answer)
    yielded = []
    async with AsyncPackageX("px_key") as px:
        with pytest.raises(PaginationError, match="does not advance"):
            async for export in px.exports.list(limit=1):
                yielded.append(export.id)
    assert yielded == ["exp_1"]


async def test_trap_24_one_bad_item_does_not_sink_its_page(
    api: aioresponses, caplog: pytest.LogCaptureFixture
) -> None:
    """It is yielded with what could be read, and logged once, without its values."""
    data = [{"id": "a"}, {"id": "b", "created_at": "CANARY", "name": "kept"}, {"id": "c"}]
    api.get(f"{LIST}?page=1&limit=100", payload={"data": data, "pagination": {"has_more": True}})
    api.get(f"{LIST}?page=2&limit=100", payload={"data": data, "pagination": {"has_more": False}})
    async with AsyncPackageX("px_key") as px:
        listed = [export async for export in px.exports.list()]
    assert [export.id for export in listed] == ["a", "b", "c"]
    assert (listed[1].name, listed[1].created_at, listed[1].extra["created_at"]) == ("kept", None, "CANARY")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("packagex_async", logging.WARNING)
    assert record.getMessage() == "export b: could not read created_at; see its `extra`"


async def test_an_item_without_an_id_says_where(api: aioresponses) -> None:
    """Which page cannot be read, and which of its items is at fault."""
    api.get(
        f"{LIST}?page=1&limit=100", payload={"data": [{"id": "a"}, {}], "pagination": {"has_more": False}}
    )
    async with AsyncPackageX("px_key") as px:
        with pytest.raises(DecodeError, match=r"GET /v1/exports: data\[1\]\.id is missing"):
            await ids(px)


DIALECTS = [
    Dialect(),
    Dialect(enveloped=False, timestamps="iso", flags="straight", absent_urls="null", error_key="code"),
    Dialect(timestamps="milliseconds", absent_urls="empty", content_type="text/plain"),
    Dialect(pagination_fields=frozenset(), urls_in_list=True),
]


@pytest.mark.parametrize("dialect", DIALECTS, ids=["plain", "bare", "milliseconds", "terse"])
async def test_every_dialect_of_the_api_is_understood(dialect: Dialect, tmp_path: Path) -> None:
    """Whichever way the vendor's pages are read, the same exports and files come out."""
    async with Emulator(populate=False, dialect=dialect) as server, server.client() as px:
        expected = fill(server, 5, sanitized_rows=2)
        listed = [export async for export in px.exports.list(limit=2)]
        assert [export.id for export in listed] == expected
        created = listed[0].created_at
        assert created is not None
        assert math.isclose(created.timestamp(), server.exports[0].created_at, abs_tol=1)
        report = await px.exports.download(listed[0], tmp_path)
        assert report.files.keys() == (Artifact.JSON, Artifact.CSV, Artifact.CSV_SANITIZED)
        assert report.missing == (Artifact.CSV_ERROR,)
        with pytest.raises(NotFoundError) as caught:
            await px.exports.retrieve("exp_unknown")
        assert caught.value.code


async def test_trap_28_leaving_a_loop_early_leaves_nothing_behind(packagex_emulator: Emulator) -> None:
    """No task, no open answer, no warning; the far side runs on a loop of its own."""
    async with packagex_emulator.client() as px:
        before = asyncio.all_tasks()
        async with aclosing(px.exports.list(limit=2)) as exports:
            async for _ in exports:
                break
        assert asyncio.all_tasks() == before
        async for _ in px.exports.list(limit=2):
            break
        async for _ in px.exports.pages(limit=2):
            break
        gc.collect()
        # The event loop closes abandoned generators in its next rounds.
        for _ in range(5):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == before
        assert len(packagex_emulator.requests) == 3


@settings(max_examples=examples(60))
@given(
    count=st.integers(0, 12),
    limit=st.integers(1, 5),
    direction=st.sampled_from(["asc", "desc"]),
    counted=st.booleans(),
    prefetch=st.sampled_from([0, 2, 16]),
    events=st.lists(st.lists(st.sampled_from(["expire", "insert", "delete"]), max_size=3), max_size=12),
)
def test_exactly_once_over_real_sockets(
    count: int, limit: int, direction: str, counted: bool, prefetch: int, events: list[list[str]]
) -> None:
    """Whatever the emulator deletes and inserts between pages, each survivor is yielded once.

    Without a total count, the promise holds for the documented life of exports: they expire oldest first, 24
    hours after creation, and new ones are the newest.
    """
    asyncio.run(walk_while_living(count, limit, direction, counted, prefetch, events))


async def walk_while_living(
    count: int, limit: int, direction: str, counted: bool, prefetch: int, events: list[list[str]]
) -> None:
    moments = itertools.count(1_700_000_000)
    now = [float(next(moments))]
    fields = frozenset({"page", "limit", "total_count"} if counted else {"page", "limit"})
    dialect = Dialect(pagination_fields=fields)
    async with Emulator(populate=False, dialect=dialect, now=lambda: now[0]) as server, server.client() as px:
        born = now[0] - 86_400 + 10
        throughout = {server.add_export(rows=1, created_at=born + 10 * number).id for number in range(count)}
        schedule = iter(events)

        def happen(what: str) -> None:
            alive = server.exports
            if what == "insert":
                now[0] += 1
                server.add_export(rows=1)
            elif alive and what == "delete" and counted:
                server.delete_export(alive[len(alive) // 2].id)
            elif alive:
                now[0] = max(now[0] + 1, alive[0].created_at + 86_400)

        def live(_: int) -> None:
            for what in next(schedule, []):
                happen(what)

        server.after_list = live
        try:
            listed = await ids(px, limit=limit, direction=direction, prefetch=prefetch)
        except PaginationError:
            assert not counted
            return
        assert len(listed) == len(set(listed))
        assert throughout & {export.id for export in server.exports} <= set(listed)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("queued", ExportNotReadyError),
        ("processing", ExportNotReadyError),
        ("failed", ExportFailedError),
        ("timed_out", ExportTimedOutError),
    ],
)
async def test_an_export_that_is_not_completed_is_not_downloaded(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, status: str, kind: type[PackageXError]
) -> None:
    """Whether it comes as an id, or as an export; the error says which and why."""
    stored = server.add_export(status=status, rows=1)
    listed = [export async for export in px.exports.list()]
    for export in (
        stored.id,
        listed[0],
        Export(id=stored.id, status=ExportStatus(status), csv_url="https://x/y"),
    ):
        with pytest.raises(kind, match=f"export {stored.id} is {status}") as caught:
            await px.exports.download(export, tmp_path / "new")
        assert getattr(caught.value, "export_id", None) == stored.id
    assert not (tmp_path / "new").exists()


async def test_an_export_that_has_completed_since_it_was_listed_is_downloaded(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Its state is asked for anew with its URLs."""
    stored = server.add_export(status="processing", rows=1)
    (listed,) = [export async for export in px.exports.list()]
    server.update_export(stored.id, status="completed")
    report = await px.exports.download(listed, tmp_path)
    assert report.ok


async def test_an_export_that_is_gone_is_told_apart_from_an_unknown_id(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """One was there; the other may never have been."""
    stored = server.add_export(rows=1)
    (listed,) = [export async for export in px.exports.list()]
    server.delete_export(stored.id)
    with pytest.raises(ExportGoneError, match="deleted 24 hours after creation"):
        await px.exports.download(listed, tmp_path)
    with pytest.raises(NotFoundError):
        await px.exports.download(stored.id, tmp_path)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (
            {"artifacts": ["xlsx"]},
            "artifacts must be some of json, csv, csv_error, csv_sanitized, not 'xlsx'",
        ),
        ({"artifacts": []}, "not none"),
        ({"artifacts": "json,csv"}, "artifacts must be some of"),
        ({"artifacts": [None]}, "artifacts must be some of"),
        ({"digest": "md5"}, "digest must be 'sha256' or None, not 'md5'"),
        ({"concurrency": 0}, "concurrency must be 1 or more, not 0"),
    ],
)
async def test_an_option_that_cannot_work_is_refused_before_any_request(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, bad: dict[str, Any], says: str
) -> None:
    """The error names it."""
    with pytest.raises(ConfigurationError, match=says):
        await px.exports.download("exp_1", tmp_path, **bad)
    assert server.requests == []


async def test_modules_that_cannot_be_loaded_are_an_error_of_ours(
    px: AsyncPackageX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when there are no file descriptors left at the first call."""
    monkeypatch.setitem(sys.modules, "packagex_async._sync.runner", None)
    with pytest.raises(ConfigurationError, match=r"download_all\(\) cannot be loaded"):
        px.exports.download_all(tmp_path)
