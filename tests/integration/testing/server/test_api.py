"""The emulated API."""

from __future__ import annotations

from typing import Any

import pytest

from packagex_async import Artifact
from packagex_async.testing import Dialect, Emulator
from tests.integration.testing.client import NOON, Clock, api_request, create, fetch, ids

CSV_URLS = {"_csv_url", "_csv_error_url", "_csv_sanitized_url"}


async def test_key_is_accepted_in_both_headers(server: Emulator) -> None:
    """`PX-API-KEY` and `X-API-KEY`. A missing or wrong key is a 401 in the envelope."""
    address = server.base_url + "/v1/exports"
    assert (await fetch(address, PX_API_KEY=server.api_key)).status == 200
    assert (await fetch(address, X_API_KEY=server.api_key)).status == 200
    for rejected in (await fetch(address), await fetch(address, PX_API_KEY="wrong")):
        assert rejected.status == 401
        assert rejected.json["error_code"] == "authentication.invalid"
        assert rejected.json["endpoint"] == "/v1/exports"


async def test_empty_listing(server: Emulator) -> None:
    """`data` is an empty array, and the envelope has all fields."""
    response = await api_request(server)
    assert response.json == {
        "status": 200,
        "message": "Exports retrieved successfully.",
        "data": [],
        "errors": [],
        "error_code": None,
        "pagination": {"page": 1, "limit": 3, "total_count": 0, "has_more": False},
        "events": [],
        "endpoint": "/v1/exports",
    }
    assert response.headers["Date"] == "Thu, 01 Jan 2026 12:00:00 GMT"


async def test_pages_contain_each_export_once(server: Emulator) -> None:
    """The capped limit is the size of a page. `has_more` is false on the last page."""
    expected = [server.add_export(rows=1).id for _ in range(7)]
    pages = [await api_request(server, f"/v1/exports?limit=50&page={page}") for page in (1, 2, 3, 4)]
    assert [ids(page) for page in pages] == [expected[:3], expected[3:6], expected[6:], []]
    assert [page.json["pagination"]["has_more"] for page in pages] == [True, True, False, False]
    assert pages[0].json["pagination"]["limit"] == 3


async def test_listing_is_filtered_and_sorted(server: Emulator) -> None:
    """By resource, statuses and search terms; by any field in both directions."""
    big = server.add_export(resource="tracker", name="Open Trackers", rows=1200, created_at=NOON - 20)
    small = server.add_export(name="Contacts, front desk", rows=3, status="failed", created_at=NOON - 30)
    assert ids(await api_request(server)) == [small.id, big.id] == [export.id for export in server.exports]
    for query, expected in {
        "direction=desc": [big.id, small.id],
        "order_by=count_total&direction=desc": [big.id, small.id],
        "order_by=count_batches": [small.id, big.id],
        "resource=tracker": [big.id],
        "statuses=failed,queued": [small.id],
        "search=OPEN%20track": [big.id],
        "search=nothing": [],
    }.items():
        assert ids(await api_request(server, f"/v1/exports?{query}")) == expected, query


async def test_invalid_parameters_are_named(server: Emulator) -> None:
    """The status is 400, and `errors` contains their names."""
    response = await api_request(server, "/v1/exports?page=x&limit=-1")
    assert (response.status, response.json["errors"]) == (400, ["page", "limit"])
    assert response.json["pagination"] is None


async def test_unknown_paths_and_methods(server: Emulator) -> None:
    """Unknown exports and paths are 404, other methods 405, and an invalid flag 400."""
    export = server.add_export(rows=1)
    assert (await api_request(server, "/v1/exports/exp_unknown")).status == 404
    assert (await api_request(server, "/v1/contacts")).status == 404
    assert (await api_request(server, "/v1/exports/")).status == 404
    assert (await api_request(server, method="DELETE")).status == 405
    assert (await api_request(server, f"/v1/exports/{export.id}", method="POST")).status == 405
    assert (await api_request(server, method="HEAD")).body == b""
    response = await api_request(server, f"/v1/exports/{export.id}?include_csv=maybe")
    assert (response.status, response.json["errors"]) == (400, ["include_csv"])


@pytest.mark.parametrize(
    ("flags", "include_csv", "include_json"),
    [("crosswise", {"_json_url"}, CSV_URLS), ("straight", CSV_URLS, {"_json_url"})],
)
async def test_include_flags_add_urls(
    clock: Clock, flags: Any, include_csv: set[str], include_json: set[str]
) -> None:
    """Each flag adds the URLs of the dialect; both flags add all. The URLs work."""
    async with Emulator(populate=False, now=clock, dialect=Dialect(flags=flags)) as server:
        export = server.add_export(rows=20, error_rows=1, sanitized_rows=1)
        for query, expected in {
            "include_csv=true": include_csv,
            "include_json=true": include_json,
            "include_json=true&include_csv=true": include_csv | include_json,
            "include_json=false": set[str](),
        }.items():
            data = (await api_request(server, f"/v1/exports/{export.id}?{query}")).json["data"]
            assert {name for name in data if name.endswith("_url")} == expected
            for name in expected:
                artifact = Artifact(name.removeprefix("_").removesuffix("_url"))
                assert (await fetch(data[name])).body == server.content(export.id, artifact)


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
    """The dialect determines timestamps and absent URLs."""
    async with Emulator(populate=False, now=clock, dialect=dialect) as server:
        export = server.add_export(content={"csv": b"a\n"})
        path = f"/v1/exports/{export.id}?include_csv=true&include_json=true"
        data = (await api_request(server, path)).json["data"]
        assert expected.items() <= data.items()
        assert data["_csv_url"].startswith("http://127.0.0.1:")


async def test_dialects_of_the_envelope(clock: Clock) -> None:
    """A bare export, another error key, bare pagination, URLs in a listing, another content type."""
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
        bare = await api_request(server, f"/v1/exports/{export.id}")
        assert (bare.json["id"], bare.headers["Content-Type"]) == (export.id, "text/plain")
        assert (await api_request(server, "/v1/exports/no")).json["code"] == "export.not_found"
        listing = (await api_request(server)).json
        assert listing["pagination"] == {"has_more": False}
        completed, processing = listing["data"]
        assert {"_json_url", "_csv_url"} <= completed.keys()
        assert not [name for name in processing if name.endswith("_url")]
        assert (await create(server)).json["id"] == server.created[0]


async def test_any_id_is_found(server: Emulator) -> None:
    """An id with slashes, escapes and spaces works on both servers."""
    export = server.add_export(export_id="../a%2Fb ü", content={"json": b"[]"})
    assert (await fetch(server.url_for(export.id, "json"))).body == b"[]"
    response = await api_request(server, "/v1/exports/..%2Fa%252Fb%20%C3%BC")
    assert response.json["data"]["id"] == export.id


async def test_invalid_create_request_creates_nothing(server: Emulator) -> None:
    """The status is 400, and `errors` contains the names of the invalid properties."""
    response = await create(server, b'{"resource": "people", "options": 1}')
    assert (response.status, response.json["errors"]) == (400, ["resource", "options"])
    assert server.created == ()
