"""`AsyncExports`: list, pages, retrieve, and the states in which an export can be downloaded."""

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


def add_exports(server: Emulator, count: int, **options: Any) -> list[str]:
    base = server.now() - 3600
    return [server.add_export(rows=1, created_at=base + number, **options).id for number in range(count)]


async def ids(px: AsyncPackageX, **filters: Any) -> list[str]:
    return [export.id async for export in px.exports.list(**filters)]


async def test_exports_of_all_pages_are_yielded(server: Emulator, px: AsyncPackageX) -> None:
    """The oldest come first by default. The limit has no effect on the result."""
    expected = add_exports(server, 7)
    assert await ids(px) == expected
    assert await ids(px, limit=2) == expected
    assert await ids(px, limit=7, direction="desc") == expected[::-1]
    assert await ids(px, limit=1, order_by=OrderBy.CREATED_AT, direction=Direction.DESC) == expected[::-1]
    assert await ids(px, page=2, limit=3) == expected[3:]


async def test_empty_listing_is_one_empty_page(server: Emulator, px: AsyncPackageX) -> None:
    """It contains no export."""
    assert await ids(px) == []
    assert [len(page) async for page in px.exports.pages()] == [0]
    assert len(server.requests) == 2


async def test_server_may_cap_the_limit() -> None:
    """The actual number of items per page counts."""
    async with Emulator(populate=False, limit_cap=3) as server, server.client() as px:
        expected = add_exports(server, 8)
        assert await ids(px, limit=1000) == expected
        assert len(server.requests) == 3


async def test_pages(server: Emulator, px: AsyncPackageX) -> None:
    """They contain the same exports as `list`, and the pagination."""
    expected = add_exports(server, 5)
    pages = [page async for page in px.exports.pages(limit=2)]
    assert [[export.id for export in page] for page in pages] == [expected[:2], expected[2:4], expected[4:]]
    assert [page.pagination.has_more for page in pages] == [True, True, False]
    assert pages[0].pagination.total_count == 5


async def test_filters(server: Emulator, px: AsyncPackageX) -> None:
    """Enums and strings are accepted, and one or several statuses."""
    wanted = server.add_export(resource="tracker", status="failed", name="May trackers", rows=1).id
    other = server.add_export(resource="contact", status="completed", name="June", rows=1).id
    server.add_export(resource="shipment", status="queued", name="July", rows=1)
    assert await ids(px, resource=ExportResource.TRACKER) == await ids(px, resource="tracker") == [wanted]
    assert await ids(px, statuses=ExportStatus.FAILED) == await ids(px, statuses="failed") == [wanted]
    assert await ids(px, statuses=["failed", ExportStatus.COMPLETED]) == [wanted, other]
    assert await ids(px, search="may tr") == [wanted]


def test_invalid_parameters_of_a_listing() -> None:
    """The call raises the error, not the first iteration."""
    px = AsyncPackageX("px_key")
    invalid: list[dict[str, Any]] = [{"limit": 0}, {"search": " "}, {"page": -1}, {"direction": "sideways"}]
    for options in invalid:
        with pytest.raises(ConfigurationError):
            px.exports.list(**options)
        with pytest.raises(ConfigurationError):
            px.exports.pages(**options)


async def test_trap_25_expiring_exports_hide_no_other_export(server: Emulator, px: AsyncPackageX) -> None:
    """The oldest exports expire page by page. All others are yielded once."""
    expected = add_exports(server, 9)
    for page in (1, 2, 3):
        server.inject(Delete(expected[page - 1], after_pages=page))
    listed = await ids(px, limit=2)
    assert set(expected[3:]) <= set(listed)
    assert len(listed) == len(set(listed))


async def test_trap_25_server_that_ignores_page(api: aioresponses) -> None:
    """It is an error, and no export is yielded twice."""
    answer = {"data": [{"id": "exp_1"}], "pagination": {"has_more": True, "page": 1}}
    for page in (1, 2):
        api.get(f"{LIST}?page={page}&limit=1", payload=answer)
    yielded = []
    async with AsyncPackageX("px_key") as px:
        with pytest.raises(PaginationError, match="does not advance"):
            async for export in px.exports.list(limit=1):
                yielded.append(export.id)
    assert yielded == ["exp_1"]


async def test_trap_24_unreadable_field(api: aioresponses, caplog: pytest.LogCaptureFixture) -> None:
    """The export is yielded with its other fields. The log has the name of the field, not its value."""
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


async def test_item_without_id(api: aioresponses) -> None:
    """The error names the item and the request."""
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
async def test_dialects(dialect: Dialect, tmp_path: Path) -> None:
    """Every interpretation of the API documentation gives the same exports and files."""
    async with Emulator(populate=False, dialect=dialect) as server, server.client() as px:
        expected = add_exports(server, 5, sanitized_rows=2)
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


async def test_trap_28_early_exit_leaves_no_task(packagex_emulator: Emulator) -> None:
    """No response remains open. The emulator runs in another event loop."""
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
        # The event loop closes abandoned generators in its next iterations.
        for _ in range(5):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == before
        assert len(packagex_emulator.requests) == 3


@settings(max_examples=examples(60))
@given(
    count=st.integers(0, 12),
    limit=st.integers(1, 5),
    direction=st.sampled_from(["asc", "desc"]),
    has_total=st.booleans(),
    prefetch=st.sampled_from([0, 2, 16]),
    events=st.lists(st.lists(st.sampled_from(["expire", "insert", "delete"]), max_size=3), max_size=12),
)
def test_exactly_once_over_real_sockets(
    count: int, limit: int, direction: str, has_total: bool, prefetch: int, events: list[list[str]]
) -> None:
    """Every surviving export is yielded once while others are deleted and inserted between pages.

    Without a total count, exports are deleted only because they are 24 hours old, and new ones are the
    newest.
    """
    asyncio.run(check_exactly_once(count, limit, direction, has_total, prefetch, events))


async def check_exactly_once(
    count: int, limit: int, direction: str, has_total: bool, prefetch: int, events: list[list[str]]
) -> None:
    times = itertools.count(1_700_000_000)
    now = [float(next(times))]
    fields = frozenset({"page", "limit", "total_count"} if has_total else {"page", "limit"})
    dialect = Dialect(pagination_fields=fields)
    async with Emulator(populate=False, dialect=dialect, now=lambda: now[0]) as server, server.client() as px:
        created_at = now[0] - 86_400 + 10
        survivors = {
            server.add_export(rows=1, created_at=created_at + 10 * number).id for number in range(count)
        }
        schedule = iter(events)

        def change(event: str) -> None:
            exports = server.exports
            if event == "insert":
                now[0] += 1
                server.add_export(rows=1)
            elif exports and event == "delete" and has_total:
                server.delete_export(exports[len(exports) // 2].id)
            elif exports:
                now[0] = max(now[0] + 1, exports[0].created_at + 86_400)

        def change_all(_: int) -> None:
            for event in next(schedule, []):
                change(event)

        server.after_list = change_all
        try:
            listed = await ids(px, limit=limit, direction=direction, prefetch=prefetch)
        except PaginationError:
            assert not has_total
            return
        assert len(listed) == len(set(listed))
        assert survivors & {export.id for export in server.exports} <= set(listed)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("queued", ExportNotReadyError),
        ("processing", ExportNotReadyError),
        ("failed", ExportFailedError),
        ("timed_out", ExportTimedOutError),
    ],
)
async def test_export_that_is_not_completed(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, status: str, kind: type[PackageXError]
) -> None:
    """The error has the id and the status, for an id and for an `Export`."""
    stored = server.add_export(status=status, rows=1)
    listed = [export async for export in px.exports.list()]
    for export in (
        stored.id,
        listed[0],
        Export(id=stored.id, status=ExportStatus(status), csv_url="https://x/y"),
    ):
        with pytest.raises(kind, match=f"export {stored.id} has the status {status}") as caught:
            await px.exports.download(export, tmp_path / "new")
        assert getattr(caught.value, "export_id", None) == stored.id
    assert not (tmp_path / "new").exists()


async def test_export_completed_after_the_listing(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Its status is requested again together with its URLs."""
    stored = server.add_export(status="processing", rows=1)
    (listed,) = [export async for export in px.exports.list()]
    server.update_export(stored.id, status="completed")
    report = await px.exports.download(listed, tmp_path)
    assert report.ok


async def test_deleted_export_and_unknown_id(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """A listed export did exist. An id may be wrong."""
    stored = server.add_export(rows=1)
    (listed,) = [export async for export in px.exports.list()]
    server.delete_export(stored.id)
    with pytest.raises(ExportGoneError, match="deleted 24 hours after creation"):
        await px.exports.download(listed, tmp_path)
    with pytest.raises(NotFoundError):
        await px.exports.download(stored.id, tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
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
async def test_invalid_download_options(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    """The error names the option. No request is sent."""
    with pytest.raises(ConfigurationError, match=message):
        await px.exports.download("exp_1", tmp_path, **options)
    assert server.requests == []


async def test_import_failure_is_a_configuration_error(
    px: AsyncPackageX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An example is a process without free file descriptors at the first call."""
    monkeypatch.setitem(sys.modules, "packagex_async._sync.runner", None)
    with pytest.raises(ConfigurationError, match=r"download_all\(\) cannot be loaded"):
        px.exports.download_all(tmp_path)
