"""The emulator keeps its promises over real sockets, honest or faulty."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import csv
import gzip
import hashlib
import io
import json
import logging
import math
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import attrs
import pytest
from multidict import CIMultiDictProxy
from yarl import URL

from packagex_async import Artifact, testing
from packagex_async.testing import (
    Cut,
    Delete,
    Dialect,
    Emulator,
    Encoded,
    Expired,
    Fault,
    Garbage,
    IgnoreRange,
    Insert,
    Life,
    LyingLength,
    NoHash,
    NoTag,
    Redirect,
    Refuse,
    Replace,
    Reset,
    Stall,
    Status,
    Transcoded,
    Trickle,
    Undeclared,
    WrongHash,
    WrongRange,
    serve_in_thread,
)

DAY = 24 * 60 * 60
NOON = 1_767_268_800.0
BODY = bytes(range(256)) * 8


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = NOON

    def __call__(self) -> float:
        return self.seconds


@attrs.frozen
class Answer:
    """An answer read to its end."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def fetch(url: str, method: str = "GET", body: bytes | None = None, /, **headers: str) -> Answer:
    """One request for exactly `url`, with no header that was not asked for."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    async with (
        aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.request(
            method, URL(url, encoded=True), headers=named, data=body, allow_redirects=False
        ) as response,
    ):
        return Answer(response.status, response.headers, await response.read())


async def ask(server: Emulator, path: str = "/v1/exports", method: str = "GET") -> Answer:
    """One request to the API with its key."""
    return await fetch(server.base_url + path, method, PX_API_KEY=server.api_key)


async def create(server: Emulator, body: bytes | None = None) -> Answer:
    """One POST, of `WISH` unless given."""
    wish = json.dumps(WISH).encode() if body is None else body
    address = server.base_url + "/v1/exports"
    return await fetch(address, "POST", wish, PX_API_KEY=server.api_key, Content_Type="application/json")


def ids(answer: Answer) -> list[str]:
    return [export["id"] for export in answer.json["data"]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[Emulator]:
    async with Emulator(populate=False, now=clock, limit_cap=3) as running:
        yield running


@pytest.fixture
def url(server: Emulator) -> str:
    """A link to an object of 2048 bytes."""
    export = server.add_export(content={"csv": BODY}, export_id="exp_one")
    return server.url_for(export.id, "csv")


# The API port.


async def test_a_key_opens_the_api_under_either_name(server: Emulator) -> None:
    """`PX-API-KEY` and `X-API-KEY` are accepted; no key, or another, is a 401 in the envelope."""
    address = server.base_url + "/v1/exports"
    assert (await fetch(address, PX_API_KEY=server.api_key)).status == 200
    assert (await fetch(address, X_API_KEY=server.api_key)).status == 200
    for refused in (await fetch(address), await fetch(address, PX_API_KEY="wrong")):
        assert refused.status == 401
        assert refused.json["error_code"] == "authentication.invalid"
        assert refused.json["endpoint"] == "/v1/exports"


async def test_an_empty_listing_is_an_array(server: Emulator) -> None:
    """`data` is an array and every field of the envelope is there, even without exports."""
    answer = await ask(server)
    assert answer.json == {
        "status": 200,
        "message": "Exports retrieved successfully.",
        "data": [],
        "errors": [],
        "error_code": None,
        "pagination": {"page": 1, "limit": 3, "total_count": 0, "has_more": False},
        "events": [],
        "endpoint": "/v1/exports",
    }
    assert answer.headers["Date"] == "Thu, 01 Jan 2026 12:00:00 GMT"


async def test_pages_cover_the_listing_once(server: Emulator) -> None:
    """The capped limit decides where pages end; has_more is false on the last."""
    expected = [server.add_export(rows=1).id for _ in range(7)]
    pages = [await ask(server, f"/v1/exports?limit=50&page={page}") for page in (1, 2, 3, 4)]
    assert [ids(page) for page in pages] == [expected[:3], expected[3:6], expected[6:], []]
    assert [page.json["pagination"]["has_more"] for page in pages] == [True, True, False, False]
    assert pages[0].json["pagination"]["limit"] == 3


async def test_a_listing_is_filtered_and_ordered(server: Emulator) -> None:
    """Resource, statuses, search, order and direction do what their names say."""
    big = server.add_export(resource="tracker", name="Open Trackers", rows=1200, created_at=NOON - 20)
    small = server.add_export(name="Contacts, front desk", rows=3, status="failed", created_at=NOON - 30)
    assert ids(await ask(server)) == [small.id, big.id] == [export.id for export in server.exports]
    for query, expected in {
        "direction=desc": [big.id, small.id],
        "order_by=count_total&direction=desc": [big.id, small.id],
        "order_by=count_batches": [small.id, big.id],
        "resource=tracker": [big.id],
        "statuses=failed,queued": [small.id],
        "search=OPEN%20track": [big.id],
        "search=nothing": [],
    }.items():
        assert ids(await ask(server, f"/v1/exports?{query}")) == expected, query


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("page=0", ["page"]),
        ("page=x&limit=-1", ["page", "limit"]),
        ("order_by=name&direction=up", ["order_by", "direction"]),
        ("resource=people", ["resource"]),
        ("statuses=completed,odd", ["statuses"]),
        ("search=a%20front", ["search"]),
    ],
)
async def test_bad_parameters_are_named(server: Emulator, query: str, names: list[str]) -> None:
    """A parameter that makes no sense is a 400 that names it."""
    answer = await ask(server, f"/v1/exports?{query}")
    assert (answer.status, answer.json["errors"]) == (400, names)
    assert answer.json["pagination"] is None


async def test_what_the_api_does_not_have(server: Emulator) -> None:
    """Unknown exports and paths are 404, other methods 405, a flag that is no flag 400."""
    export = server.add_export(rows=1)
    assert (await ask(server, "/v1/exports/exp_unknown")).status == 404
    assert (await ask(server, "/v1/contacts")).status == 404
    assert (await ask(server, "/v1/exports/")).status == 404
    assert (await ask(server, method="DELETE")).status == 405
    assert (await ask(server, f"/v1/exports/{export.id}", method="POST")).status == 405
    assert (await ask(server, method="HEAD")).body == b""
    answer = await ask(server, f"/v1/exports/{export.id}?include_csv=maybe")
    assert (answer.status, answer.json["errors"]) == (400, ["include_csv"])


TABLES = {"_csv_url", "_csv_error_url", "_csv_sanitized_url"}


@pytest.mark.parametrize(
    ("flags", "include_csv", "include_json"),
    [("crosswise", {"_json_url"}, TABLES), ("straight", TABLES, {"_json_url"})],
)
async def test_the_include_flags_bring_urls(
    clock: Clock, flags: Any, include_csv: set[str], include_json: set[str]
) -> None:
    """Each flag brings its URLs, crosswise or straight; both bring all; a URL that is brought works."""
    async with Emulator(populate=False, now=clock, dialect=Dialect(flags=flags)) as server:
        export = server.add_export(rows=20, error_rows=1, sanitized_rows=1)
        for query, expected in {
            "include_csv=true": include_csv,
            "include_json=true": include_json,
            "include_json=true&include_csv=true": include_csv | include_json,
            "include_json=false": set[str](),
        }.items():
            told = (await ask(server, f"/v1/exports/{export.id}?{query}")).json["data"]
            assert {name for name in told if name.endswith("_url")} == expected
            for name in expected:
                artifact = Artifact(name.removeprefix("_").removesuffix("_url"))
                assert (await fetch(told[name])).body == server.content(export.id, artifact)


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        (Dialect(), {"created_at": int(NOON)}),
        (Dialect(timestamps="milliseconds"), {"created_at": int(NOON * 1000)}),
        (Dialect(timestamps="iso"), {"created_at": "2026-01-01T12:00:00.000Z"}),
        (Dialect(absent_urls="null"), {"_json_url": None, "_csv_error_url": None}),
        (Dialect(absent_urls="empty"), {"_json_url": "", "_csv_error_url": ""}),
    ],
)
async def test_dialects_of_an_export(clock: Clock, dialect: Dialect, expected: dict[str, object]) -> None:
    """Moments and absent URLs are told in the dialect's way."""
    async with Emulator(populate=False, now=clock, dialect=dialect) as server:
        export = server.add_export(content={"csv": b"a\n"})
        told = (await ask(server, f"/v1/exports/{export.id}?include_csv=true&include_json=true")).json["data"]
        assert expected.items() <= told.items()
        assert told["_csv_url"].startswith("http://127.0.0.1:")


async def test_dialects_of_the_envelope(clock: Clock) -> None:
    """A bare export, another name for the code, bare pagination, URLs in a list, another content type."""
    dialect = Dialect(
        enveloped=False,
        error_key="code",
        pagination_fields=frozenset(),
        urls_in_list=True,
        content_type="text/plain",
    )
    async with Emulator(populate=False, now=clock, dialect=dialect) as server:
        export = server.add_export(rows=1)
        server.add_export(rows=1, status="processing")
        bare = await ask(server, f"/v1/exports/{export.id}")
        assert (bare.json["id"], bare.headers["Content-Type"]) == (export.id, "text/plain")
        assert (await ask(server, "/v1/exports/no")).json["code"] == "export.not_found"
        listed = (await ask(server)).json
        assert listed["pagination"] == {"has_more": False}
        finished, unfinished = listed["data"]
        assert {"_json_url", "_csv_url"} <= finished.keys()
        assert not [name for name in unfinished if name.endswith("_url")]


async def test_exports_live_for_a_day(server: Emulator, clock: Clock, url: str) -> None:
    """After 24 hours by the emulator's clock an export and its objects are gone."""
    clock.seconds += DAY - 1
    assert ids(await ask(server)) == ["exp_one"]
    link = server.url_for("exp_one", "csv")
    clock.seconds += 1
    assert ids(await ask(server)) == []
    assert (await ask(server, "/v1/exports/exp_one")).status == 404
    gone = await fetch(link)
    assert gone.status == 404
    assert b"<Code>NoSuchKey</Code>" in gone.body


async def test_exports_change_and_go(server: Emulator, clock: Clock, url: str) -> None:
    """An update shows at once with its own date; a deletion takes the objects with it, and may come twice."""
    clock.seconds += 60
    server.update_export("exp_one", status="failed")
    told = (await ask(server, "/v1/exports/exp_one?include_json=true")).json["data"]
    assert (told["status"], told["updated_at"], told.get("_csv_url")) == ("failed", int(NOON) + 60, None)
    server.delete_export("exp_one")
    server.delete_export("exp_one")
    assert (await fetch(url)).status == 404
    with pytest.raises(KeyError):
        server.update_export("exp_one", status="completed")
    with pytest.raises(KeyError, match="exp_one has no csv"):
        server.content("exp_one", "csv")


async def test_an_id_may_be_anything(server: Emulator) -> None:
    """An id with slashes, escapes and spaces is found again on both ports."""
    export = server.add_export(export_id="../a%2Fb ü", content={"json": b"[]"})
    assert (await fetch(server.url_for(export.id, "json"))).body == b"[]"
    assert (await ask(server, "/v1/exports/..%2Fa%252Fb%20%C3%BC")).json["data"]["id"] == export.id


# The life of an export that a POST creates.

WISH: dict[str, Any] = {"resource": "shipment", "options": {"limit": 30}}


async def test_a_created_export_lives(server: Emulator, clock: Clock) -> None:
    """Queued, processing, completed with its artifacts, and gone after a day, each by the clock."""
    server.life = Life(queued=2, processing=5, rows=50, error_rows=1)
    answer = await create(server)
    created = answer.json["data"]
    assert (answer.status, created["status"], created["resource"]) == (201, "queued", "shipment")
    assert (created["created_at"], created["count_total"]) == (int(NOON), 30)
    assert server.created == (created["id"],)
    path = f"/v1/exports/{created['id']}?include_csv=true&include_json=true"
    for later, status, since in ((2, "processing", 2), (4.5, "processing", 2), (0.5, "completed", 7)):
        clock.seconds += later
        told = (await ask(server, path)).json["data"]
        assert (told["status"], told["updated_at"]) == (status, int(NOON) + since)
        assert ("_csv_url" in told) == (status == "completed")
    assert (await fetch(told["_csv_url"])).body == server.content(created["id"], "csv")
    assert "_csv_error_url" in told
    clock.seconds = NOON + DAY
    assert (await ask(server, path)).status == 404
    assert server.created == (created["id"],)


async def test_a_life_may_end_otherwise_or_never(server: Emulator, clock: Clock) -> None:
    """With any status, and each export keeps the life that it was created to."""
    server.life = Life(processing=math.inf, rows=1)
    await create(server)
    server.life = Life(outcome="failed", rows=1)
    await create(server)
    clock.seconds += DAY - 1
    assert [export.status for export in server.exports] == ["processing", "failed"]
    server.update_export(server.created[0], name="renamed")
    clock.seconds += 0.5
    assert server.exports[0].updated_at == NOON + DAY - 1
    server.update_export(server.created[0], status="timed_out")
    assert server.exports[0].status == "timed_out"


async def test_pending_exports_complete_by_themselves(clock: Clock) -> None:
    """Those of the population and those that are added, by the emulator's clock; failed ones stay failed."""

    def statuses() -> list[str]:
        return [export.status for export in server.exports if export.id in started]

    async with Emulator(now=clock) as server:
        server.add_export(status="queued", created_at=NOON - DAY / 2, export_id="exp_old")
        server.add_export(status="processing", export_id="exp_new")
        started = {export.id for export in server.exports if export.status in ("queued", "processing")}
        final = {export.id: export.status for export in server.exports if export.id not in started}
        assert statuses() == ["queued", "processing", "queued", "processing"]
        clock.seconds += 2
        assert statuses() == ["processing"] * 4
        clock.seconds += 3
        assert statuses() == ["processing", "completed", "processing", "completed"]
        clock.seconds += 2
        assert statuses() == ["completed"] * 4
        told = (await ask(server, "/v1/exports/exp_old?include_csv=true&include_json=true")).json["data"]
        assert (told["updated_at"], (await fetch(told["_csv_url"])).status) == (int(NOON) + 7, 200)
        assert final == {export.id: export.status for export in server.exports if export.id not in started}
        assert {"failed", "timed_out"} <= set(final.values())


async def test_pending_exports_may_stay_or_end_otherwise(clock: Clock) -> None:
    """As `pending` says; a status that is set stays in any case, and so does that of a new export."""
    for pending, status in (
        (None, "processing"),
        (Life(queued=math.inf, processing=1, outcome="failed"), "failed"),
        (Life(processing=math.inf), "processing"),
    ):
        async with Emulator(populate=False, now=clock, pending=pending) as server:
            server.add_export(status="processing")
            kept = server.add_export(status="queued")
            server.update_export(kept.id, status="queued")
            server.add_export(status="processing", export_id="exp_twice")
            server.add_export(status="odd", export_id="exp_twice")
            clock.seconds += 1000
            assert [export.status for export in server.exports] == [status, "queued", "odd"]
            clock.seconds -= 2000
            assert server.exports[0].status == "processing"


async def test_a_bare_creation(clock: Clock) -> None:
    """The dialect that has no envelope has none here either."""
    async with Emulator(populate=False, now=clock, dialect=Dialect(enveloped=False)) as server:
        assert (await create(server)).json["id"] == server.created[0]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b"{", ["body"]),
        (b"[]", ["body"]),
        (b"{}", ["resource"]),
        (b'{"resource": "people", "options": 1}', ["resource", "options"]),
        (b'{"resource": "item", "options": {"limit": 0}}', ["options.limit"]),
        (b'{"resource": "item", "options": {"limit": true}}', ["options.limit"]),
        (b'{"resource": "item", "csv_field_options": []}', ["csv_field_options"]),
        (
            b'{"resource": "item", "csv_field_options": {"timezone": 1, "datetime_format": 2, "columns": 3}}',
            [f"csv_field_options.{name}" for name in ("timezone", "datetime_format", "columns")],
        ),
    ],
)
async def test_a_bad_wish_creates_nothing(server: Emulator, body: bytes, names: list[str]) -> None:
    """It is a 400 that names what makes no sense."""
    answer = await create(server, body)
    assert (answer.status, answer.json["errors"], server.created) == (400, names, ())


@pytest.mark.parametrize(
    ("fault", "count"),
    [
        (Status(429, retry_after="3", on="api"), 0),
        (Status(503, on="api", method="POST"), 0),
        (Status(503, on="api", done=True), 1),
        (Garbage(), 0),
        (Redirect(on="api"), 0),
        (Trickle(64, 0.0, on="api"), 1),
        (Status(503, on="api", method="GET"), 1),
    ],
)
async def test_what_is_refused_is_not_carried_out(server: Emulator, fault: Fault, count: int) -> None:
    """Unless the fault says that it was."""
    server.inject(fault)
    await create(server)
    assert len(server.created) == count
    assert json.loads(server.requests[0].body) == WISH


@pytest.mark.parametrize("fault", [Refuse(on="api"), Reset(0, on="api")])
async def test_a_connection_may_break_when_the_wish_was_heard(server: Emulator, fault: Fault) -> None:
    """The export is there all the same."""
    server.inject(fault)
    with pytest.raises(aiohttp.ClientError):
        await create(server)
    assert ids(await ask(server)) == list(server.created)
    assert len(server.created) == 1


async def test_a_creation_is_no_listing(server: Emulator) -> None:
    """What is scripted for a page waits for one."""
    server.add_export(rows=1, export_id="exp_old")
    server.inject(Delete("exp_old"))
    pages: list[int] = []
    server.after_list = pages.append
    await create(server)
    assert (pages, len(server.exports)) == ([], 2)
    await ask(server)
    assert (pages, [export.id for export in server.exports]) == ([1], list(server.created))


# The data.


async def test_a_populated_emulator_is_believable() -> None:
    """All resources and statuses are there, big ones have thousands of rows, and CSV and JSON agree."""
    async with Emulator() as server:
        assert {export.status for export in server.exports} == {
            "queued",
            "processing",
            "completed",
            "failed",
            "timed_out",
        }
        assert len({export.resource for export in server.exports}) == 10
        assert [len(server.exports)] == [len((await ask(server, "/v1/exports?limit=100")).json["data"])]
        first = server.exports[0]
        records = json.loads(server.content(first.id, "json"))
        table = list(csv.DictReader(io.StringIO(server.content(first.id, "csv").decode(), newline="")))
        assert len(table) == first.count_total == 5000
        assert table == [{name: str(cell) for name, cell in record.items()} for record in records]
        errors = server.content(first.id, "csv_error").decode()
        assert errors.partition("\r\n")[0].endswith(",error")
        assert server.content(first.id, "csv_sanitized").count(b"'") >= first.sanitized_rows


async def test_a_seed_makes_the_same_exports() -> None:
    """The same seed gives the same ids and bytes, another seed gives others."""
    one, same, other = Emulator(seed=1), Emulator(seed=1), Emulator(seed=2)
    chosen = one.exports[3].id
    assert chosen == same.exports[3].id != other.exports[3].id
    assert one.content(chosen, "csv") == same.content(chosen, "csv")


async def test_a_resource_of_tomorrow_has_rows_too(server: Emulator) -> None:
    """A resource nobody has heard of is exported like any other."""
    export = server.add_export(resource="hologram", rows=2)
    assert len(json.loads(server.content(export.id, "json"))) == 2


# The storage port.


async def test_a_link_gives_the_object(server: Emulator, url: str) -> None:
    """The whole comes with length, strong tag, dates and hashes; the tag is no MD5."""
    answer = await fetch(url)
    digest = hashlib.md5(BODY).digest()
    md5 = base64.b64encode(digest).decode()
    assert (answer.status, answer.body) == (200, BODY)
    assert answer.headers["Content-Length"] == "2048"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Last-Modified"] == answer.headers["Date"] == "Thu, 01 Jan 2026 12:00:00 GMT"
    assert answer.headers["ETag"].startswith('"')
    assert digest.hex() not in answer.headers["ETag"]
    assert answer.headers["Content-MD5"] == md5
    assert answer.headers["x-goog-hash"].endswith(f"md5={md5}")


async def test_without_google_crc32c_the_md5_is_told_alone(
    server: Emulator, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without the `speed` extra declares the MD5 only."""
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    assert (await fetch(url)).headers["x-goog-hash"].startswith("md5=")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("%2F", "/"),
        ("%40", "@"),
        ("%2F", "%2f"),
        ("%20", "+"),
        ("Get+", "Get%20"),
        ("%7E", "~"),
        ("Expires=1", "Expires=2"),
    ],
)
async def test_a_rewritten_link_is_refused(url: str, old: str, new: str) -> None:
    """Requoting any escape of a link, even to its equal, breaks the signature."""
    assert old in url
    answer = await fetch(url.replace(old, new))
    assert answer.status == 403
    assert b"<Code>SignatureDoesNotMatch</Code>" in answer.body


async def test_a_link_to_elsewhere_is_refused(server: Emulator, url: str) -> None:
    """Paths that nobody signed, a longer signature and other methods are 403."""
    origin = url.partition("/px-exports")[0]
    assert (await fetch(origin + "/")).status == 403
    assert (await fetch(url + "0")).status == 403
    for method in ("HEAD", "POST", "DELETE"):
        assert (await fetch(url, method)).status == 403


async def test_a_link_expires(server: Emulator, clock: Clock) -> None:
    """At its time, and not before, a link is AccessDenied with the reason."""
    export = server.add_export(content={"csv": BODY})
    url = server.url_for(export.id, "csv", expires_in=60)
    clock.seconds += 59
    assert (await fetch(url)).status == 200
    clock.seconds += 1
    answer = await fetch(url)
    assert answer.status == 403
    assert b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in answer.body


@pytest.mark.parametrize("name", ["PX_API_KEY", "X_API_KEY", "Authorization", "Cookie", "x_amz_meta"])
async def test_unsigned_headers_are_refused(url: str, name: str) -> None:
    """A credential or an x-amz header beside the signature is a 403."""
    answer = await fetch(url, **{name: "a=b"})
    assert answer.status == 403
    assert b"not signed" in answer.body


@pytest.mark.parametrize(
    ("asked", "first", "stop"),
    [
        ("bytes=0-", 0, 2048),
        ("bytes=10-19", 10, 20),
        ("bytes=2000-9999", 2000, 2048),
        ("bytes=-48", 2000, 2048),
    ],
)
async def test_a_part(url: str, asked: str, first: int, stop: int) -> None:
    """A single range is a 206 that says which bytes it is, with the object's hash but no MD5 of its own."""
    answer = await fetch(url, Range=asked)
    assert (answer.status, answer.body) == (206, BODY[first:stop])
    assert answer.headers["Content-Range"] == f"bytes {first}-{stop - 1}/2048"
    assert "Content-MD5" not in answer.headers
    assert answer.headers["x-goog-hash"] == (await fetch(url)).headers["x-goog-hash"]


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=9-3", "bytes=-", "lines=1-2"])
async def test_a_range_that_is_none_is_ignored(url: str, asked: str) -> None:
    """Several ranges, or nonsense, get the whole."""
    assert (await fetch(url, Range=asked)).status == 200


async def test_a_range_behind_the_end(server: Emulator, url: str) -> None:
    """A range without any byte is a 416 that tells the size; an empty object has no other."""
    answer = await fetch(url, Range="bytes=2048-")
    assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */2048")
    empty = server.add_export(content={"csv": b""})
    link = server.url_for(empty.id, "csv")
    assert (await fetch(link, Range="bytes=0-")).status == 416
    whole = await fetch(link)
    assert (whole.status, whole.headers["Content-Length"], whole.body) == (200, "0", b"")


async def test_if_range(url: str) -> None:
    """The same strong tag gets the part, any other the whole."""
    tag = (await fetch(url)).headers["ETag"]
    assert (await fetch(url, Range="bytes=9-", If_Range=tag)).status == 206
    assert (await fetch(url, Range="bytes=9-", If_Range='"other"')).status == 200


# Faults.


async def test_faults_strike_in_order_and_as_often_as_told(server: Emulator, url: str) -> None:
    """Each request meets one fault, the first that is meant for it; then all is well again."""
    server.inject(Status(500, on="storage", export_id="exp_other"), times=None)
    server.inject(Status(503, on="storage", artifact="csv"), times=2)
    server.inject(Status(429, retry_after="7", body=b"slow down", on="api"), times=None)
    server.inject(Expired(export_id="exp_one"))
    assert [(await fetch(url)).status for _ in range(4)] == [503, 503, 403, 200]
    for _ in range(3):
        answer = await ask(server)
        assert (answer.status, answer.headers["Retry-After"], answer.body) == (429, "7", b"slow down")
    with pytest.raises(ValueError, match="at least 1"):
        server.inject(Expired(), times=0)


class Teapot(Fault):
    """A fault of a user's own."""

    def rewrite_response(self, reply: Any, request: Any) -> Any:
        return reply.with_headers({"X-Pot": request.host})


async def test_a_fault_of_ones_own(server: Emulator, url: str) -> None:
    """A subclass of `Fault` overrides the steps it wants and strikes any request until told otherwise."""
    server.inject(Teapot(), times=2)
    assert [answer.headers["X-Pot"] for answer in (await fetch(url), await ask(server))] == ["storage", "api"]


@pytest.mark.parametrize("fault", [Cut(after=100), Reset(after=100), LyingLength(by=5)])
async def test_a_body_that_ends_early(server: Emulator, url: str, fault: Fault) -> None:
    """A cut, a reset or a length too long leaves the client with an incomplete body."""
    server.inject(fault)
    with pytest.raises((aiohttp.ClientPayloadError, ConnectionResetError)):
        await fetch(url)
    assert (await fetch(url)).body == BODY


async def raw(url: str, *, limit: int = -1) -> bytes:
    """What comes back on a bare connection, up to its end or to `limit` bytes."""
    address = URL(url, encoded=True)
    reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
    writer.write(f"GET /{url.split('/', 3)[3]} HTTP/1.1\r\nHost: storage\r\n\r\n".encode())
    try:
        return await (reader.read() if limit < 0 else reader.readexactly(limit))
    finally:
        writer.close()


async def test_a_cut_is_a_clean_end_and_a_reset_is_not(server: Emulator, url: str) -> None:
    """A cut sends exactly its bytes, then a FIN; a reset is an error of the connection."""
    server.inject(Cut(after=100))
    server.inject(Reset(after=0))
    head, _, body = (await raw(url)).partition(b"\r\n\r\n")
    assert b"Content-Length: 2048" in head
    assert body == BODY[:100]
    with pytest.raises(ConnectionResetError):
        await raw(url)


async def test_a_length_too_short_leaves_a_surplus(server: Emulator, url: str) -> None:
    """The declared bytes come, and the others behind them."""
    server.inject(LyingLength(by=-48))
    head, _, body = (await raw(url)).partition(b"\r\n\r\n")
    assert b"Content-Length: 2000" in head
    assert body == BODY


@pytest.mark.parametrize("host", ["api", "storage"])
async def test_a_refusal_says_nothing(server: Emulator, url: str, host: Any) -> None:
    """The connection closes before any answer, and the request is recorded without a status."""
    server.inject(Refuse(on=host), times=None)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await (ask(server) if host == "api" else fetch(url))
    assert server.requests[0].status is None


async def test_a_stall_sends_its_bytes_and_nothing_more(server: Emulator, url: str) -> None:
    """The head and the bytes come, then silence; a client that goes frees the server."""
    server.inject(Stall(after=100))
    async with aiohttp.ClientSession() as session, session.get(URL(url, encoded=True)) as response:
        assert await response.content.readexactly(100) == BODY[:100]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(response.content.read(1), 0.01)


async def test_a_trickle_brings_every_byte(server: Emulator, url: str) -> None:
    """A body in small blocks is whole in the end."""
    server.inject(Trickle(block=500, delay=0.001))
    assert (await fetch(url)).body == BODY
    server.inject(Trickle(block=500, delay=0))
    assert (await fetch(url)).body == BODY


@pytest.mark.parametrize("fault", [Stall(after=10), Trickle(block=10, delay=3600)])
async def test_closing_does_not_wait_for_the_held(clock: Clock, fault: Fault) -> None:
    """The emulator closes at once though a client still waits, and may be closed again."""
    async with asyncio.timeout(5), Emulator(populate=False, now=clock) as server:
        export = server.add_export(content={"csv": BODY})
        server.inject(fault)
        async with aiohttp.ClientSession() as session:
            async with session.get(URL(server.url_for(export.id, "csv"), encoded=True)) as response:
                assert await response.content.readexactly(10) == BODY[:10]
                await server.aclose()
                await server.aclose()
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(server.base_url)


async def left_alone(client: socket.socket) -> bool:
    """Whether the other side has gone."""
    with contextlib.suppress(ConnectionResetError):
        return await asyncio.get_running_loop().sock_recv(client, 1) == b""
    return True


@pytest.mark.parametrize("turns", range(6))
async def test_closing_forgets_no_client_that_has_just_come(turns: int) -> None:
    """Neither port keeps its connection, however far it has come with it."""
    async with Emulator(populate=False) as server, contextlib.AsyncExitStack() as clients:
        export = server.add_export(content={"csv": BODY})
        origins = [URL(url) for url in (server.base_url, server.url_for(export.id, "csv"))]
        opened = [
            clients.enter_context(socket.create_connection((str(origin.host), origin.port or 0)))
            for origin in origins
        ]
        for client in opened:
            client.setblocking(False)
        for _ in range(turns):
            await asyncio.sleep(0)
        await server.aclose()
        async with asyncio.timeout(5):
            assert [await left_alone(client) for client in opened] == [True, True]


async def test_a_client_that_leaves_is_not_an_error(
    server: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Going away in the middle of a large body is logged nowhere as an error."""
    export = server.add_export(content={"csv": bytes(32 << 20)})
    await raw(server.url_for(export.id, "csv"), limit=100)
    assert (await ask(server)).status == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_ranges_gone_wrong(server: Emulator, url: str) -> None:
    """An ignored range brings the whole; a wrong one another part, told truly; others leave them unspent."""
    server.inject(IgnoreRange())
    server.inject(WrongRange(by=-50))
    assert (await fetch(url)).status == 200
    assert (await fetch(url, Range="bytes=100-199")).body == BODY
    wrong = await fetch(url, Range="bytes=100-199")
    assert (wrong.status, wrong.body) == (206, BODY[50:200])
    assert wrong.headers["Content-Range"] == "bytes 50-199/2048"
    assert (await fetch(url, Range="bytes=100-")).body == BODY[100:]


async def test_hashes_gone_wrong(server: Emulator, url: str) -> None:
    """Hashes can be another content's, or missing; a tag can be missing while the generation stays."""
    honest = await fetch(url)
    for fault in (WrongHash(), NoHash(), NoTag(), WrongHash()):
        server.inject(fault)
    wrong = await fetch(url)
    assert wrong.body == BODY
    for name in ("x-goog-hash", "Content-MD5"):
        assert wrong.headers[name] != honest.headers[name]
    bare = await fetch(url)
    assert not {"x-goog-hash", "Content-MD5"} & bare.headers.keys()
    assert bare.headers["Content-Length"] == "2048"
    untagged = await fetch(url)
    assert "ETag" not in untagged.headers
    assert untagged.headers["x-goog-generation"] == honest.headers["x-goog-generation"]
    assert "Content-MD5" not in (await fetch(url, Range="bytes=5-")).headers


async def test_encodings_gone_wrong(server: Emulator, url: str) -> None:
    """Chunked without hash, gzip unasked for, gzip undone on the way: each is deaf to ranges."""
    for fault in (Undeclared(), Encoded(), Transcoded()):
        server.inject(fault)
    chunked, zipped, undone = [await fetch(url, Range="bytes=9-") for _ in range(3)]
    assert chunked.body == undone.body == BODY
    assert gzip.decompress(zipped.body) == BODY
    for answer in (chunked, undone):
        assert (answer.status, answer.headers["Transfer-Encoding"]) == (200, "chunked")
        assert not {"Content-Length", "Content-MD5"} & answer.headers.keys()
    assert "x-goog-hash" not in chunked.headers
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert int(zipped.headers["Content-Length"]) == len(zipped.body)
    assert undone.headers["x-goog-hash"] == zipped.headers["x-goog-hash"]
    assert undone.headers["x-goog-stored-content-encoding"] == "gzip"


async def test_redirects_and_garbage(server: Emulator, url: str) -> None:
    """A redirect names its place byte for byte, itself by default; garbage is a 200 that is no JSON."""
    server.inject(Redirect())
    server.inject(Redirect("https://elsewhere.example/%2F?a=%40"))
    server.inject(Garbage())
    itself, elsewhere, garbage = await fetch(url), await fetch(url), await ask(server)
    assert (itself.status, url.endswith(itself.headers["Location"])) == (302, True)
    assert elsewhere.headers["Location"] == "https://elsewhere.example/%2F?a=%40"
    assert (garbage.status, garbage.headers["Content-Type"], garbage.body[:6]) == (
        200,
        "text/html",
        b"<html>",
    )


async def test_a_replaced_object_has_a_new_tag(server: Emulator, url: str) -> None:
    """The request it strikes, and all later ones, meet the new bytes; where nothing is, nothing is put."""
    tag = (await fetch(url)).headers["ETag"]
    server.inject(Replace(b"other bytes"))
    answer = await fetch(url, Range="bytes=5-", If_Range=tag)
    assert (answer.status, answer.body) == (200, b"other bytes")
    assert answer.headers["ETag"] != tag
    assert server.content("exp_one", "csv") == b"other bytes"
    server.inject(Replace(b"nothing"), times=2)
    server.delete_export("exp_one")
    assert (await fetch(url)).status == 404
    assert (await fetch(url.partition("/px-exports")[0] + "/")).status == 403


async def test_a_listing_changes_between_its_pages(server: Emulator) -> None:
    """Deletions and insertions happen after the page they are set on, and not before."""
    first, second = (server.add_export(rows=1).id for _ in range(2))
    server.inject(Delete(first))
    server.inject(Insert(export_id="exp_new", name="New"))
    server.inject(Delete(second, after_pages=2))
    assert ids(await ask(server)) == [first, second]
    assert ids(await ask(server)) == [second]
    assert ids(await ask(server, "/v1/exports?page=2&limit=1")) == ["exp_new"]
    assert ids(await ask(server)) == ["exp_new"]


async def test_the_hook_runs_after_each_page(server: Emulator) -> None:
    """`after_list` hears of every page that was answered, before the client's next request."""
    pages: list[int] = []
    server.after_list = pages.append
    await ask(server)
    await ask(server, "/v1/exports?page=4")
    await ask(server, "/v1/exports?page=0")
    await ask(server, "/v1/exports/exp_unknown")
    assert pages == [1, 4]


# Handles and secrets.


async def test_requests_are_recorded(server: Emulator, url: str) -> None:
    """What came is told exactly: port, method, target, headers, export, artifact, status."""
    await fetch(url, Range="bytes=1-")
    await ask(server, "/v1/exports/exp_one?include_csv=true")
    storage, api = server.requests
    assert (storage.host, storage.export_id, storage.artifact, storage.status) == (
        "storage",
        "exp_one",
        "csv",
        206,
    )
    assert url.endswith(storage.target)
    assert storage.headers["range"] == "bytes=1-"
    assert (api.host, api.method, api.export_id, api.artifact) == ("api", "GET", "exp_one", None)
    assert (api.path, api.query) == ("/v1/exports/exp_one", {"include_csv": "true"})


async def test_nothing_secret_is_printed(
    server: Emulator, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a key nor a signature is in any repr or log."""
    caplog.set_level(logging.DEBUG)
    server.inject(Redirect(url))
    await fetch(url)
    await fetch(url)
    await ask(server)
    signature = url.rpartition("=")[2]
    told = (
        f"{server!r} {server.requests!r} {server.exports!r} {Redirect(url)!r} {caplog.text} {vars(server)!r}"
    )
    assert "RecordedRequest" in told
    assert signature not in told
    assert server.api_key not in told.replace(repr(server.api_key), "", 1)


async def test_an_address_needs_a_start() -> None:
    """Before the start there is no address, and the error says what to do."""
    server = Emulator(populate=False, api_key="chosen")
    assert server.api_key == "chosen"
    assert repr(server) == "<Emulator: 0 exports, not started>"
    with pytest.raises(RuntimeError, match="async with"):
        _ = server.base_url


async def test_its_own_client(server: Emulator, url: str) -> None:
    """`client()` is an `AsyncPackageX` that has the key and the address already."""
    async with server.client() as px:
        assert [export.id async for export in px.exports.list()] == ["exp_one"]


async def test_it_serves_from_a_thread() -> None:
    """On a thread of its own the emulator answers any loop."""
    with serve_in_thread(Emulator(populate=False)) as server:
        assert (await ask(server)).json["data"] == []
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(server)


def test_the_package_names_what_it_has() -> None:
    """Every public name is fetched on demand and listed; others are an AttributeError."""
    assert dir(testing) == sorted(testing.__all__)
    assert all(getattr(testing, name).__name__ == name for name in testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Elevator'"):
        _ = testing.Elevator
