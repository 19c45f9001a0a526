"""The emulator: exports over time, sample data, recorded requests, and secrets."""

from __future__ import annotations

import csv
import io
import json
import logging
import math

import aiohttp
import pytest

from packagex_async.testing import Emulator, Life, RecordedRequest, Redirect, Refuse
from tests.integration.testing.client import DAY, NOON, Clock, api_request, create, fetch, ids

# Exports over time.


async def test_exports_are_deleted_after_a_day(server: Emulator, clock: Clock, url: str) -> None:
    """An export and its objects are gone after 24 hours, by the emulator's clock."""
    clock.seconds += DAY - 1
    assert ids(await api_request(server)) == ["exp_one"]
    valid_url = server.url_for("exp_one", "csv")
    clock.seconds += 1
    assert ids(await api_request(server)) == []
    assert (await api_request(server, "/v1/exports/exp_one")).status == 404
    assert (await fetch(valid_url)).status == 404


async def test_exports_are_updated_and_deleted(server: Emulator, clock: Clock, url: str) -> None:
    """An update sets `updated_at`. A deletion removes the objects, and may be repeated."""
    clock.seconds += 60
    server.update_export("exp_one", status="failed")
    data = (await api_request(server, "/v1/exports/exp_one?include_json=true")).json["data"]
    assert (data["status"], data["updated_at"], data.get("_csv_url")) == ("failed", int(NOON) + 60, None)
    server.delete_export("exp_one")
    server.delete_export("exp_one")
    assert (await fetch(url)).status == 404
    with pytest.raises(KeyError):
        server.update_export("exp_one", status="completed")
    with pytest.raises(KeyError, match="exp_one has no csv"):
        server.content("exp_one", "csv")


async def test_created_export_is_completed_over_time(server: Emulator, clock: Clock) -> None:
    """It is queued, processed, completed with its artifacts, and deleted after a day."""
    server.life = Life(queued=2, processing=5, rows=50, error_rows=1)
    response = await create(server)
    created = response.json["data"]
    assert (response.status, created["status"], created["resource"]) == (201, "queued", "shipment")
    assert (created["created_at"], created["count_total"]) == (int(NOON), 30)
    assert server.created == (created["id"],)
    path = f"/v1/exports/{created['id']}?include_csv=true&include_json=true"
    for seconds, status, since in ((2, "processing", 2), (4.5, "processing", 2), (0.5, "completed", 7)):
        clock.seconds += seconds
        data = (await api_request(server, path)).json["data"]
        assert (data["status"], data["updated_at"]) == (status, int(NOON) + since)
        assert ("_csv_url" in data) == (status == "completed")
    assert (await fetch(data["_csv_url"])).body == server.content(created["id"], "csv")
    assert "_csv_error_url" in data
    clock.seconds = NOON + DAY
    assert (await api_request(server, path)).status == 404
    assert server.created == (created["id"],)


async def test_life_applies_to_later_exports_only(server: Emulator, clock: Clock) -> None:
    """An export keeps the course with which it was created."""
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


async def test_pending_exports_are_completed_over_time(clock: Clock) -> None:
    """Sample exports and added ones, by the emulator's clock. Failed exports stay failed."""

    def statuses() -> list[str]:
        return [export.status for export in server.exports if export.id in pending]

    async with Emulator(now=clock) as server:
        server.add_export(status="queued", created_at=NOON - DAY / 2, export_id="exp_old")
        server.add_export(status="processing", export_id="exp_new")
        pending = {export.id for export in server.exports if export.status in ("queued", "processing")}
        final = {export.id: export.status for export in server.exports if export.id not in pending}
        assert statuses() == ["queued", "processing", "queued", "processing"]
        clock.seconds += 2
        assert statuses() == ["processing"] * 4
        clock.seconds += 3
        assert statuses() == ["processing", "completed", "processing", "completed"]
        clock.seconds += 2
        assert statuses() == ["completed"] * 4
        path = "/v1/exports/exp_old?include_csv=true&include_json=true"
        data = (await api_request(server, path)).json["data"]
        assert (data["updated_at"], (await fetch(data["_csv_url"])).status) == (int(NOON) + 7, 200)
        assert final == {export.id: export.status for export in server.exports if export.id not in pending}
        assert {"failed", "timed_out"} <= set(final.values())


@pytest.mark.parametrize(
    ("pending", "status"),
    [
        (None, "processing"),
        (Life(queued=math.inf, processing=1, outcome="failed"), "failed"),
        (Life(processing=math.inf), "processing"),
    ],
)
async def test_course_of_pending_exports(pending: Life | None, status: str, clock: Clock) -> None:
    """`pending` determines it. A status that is set, and the status of a replaced export, do not change."""
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


async def test_added_export_with_an_existing_id_replaces_it(server: Emulator) -> None:
    """Its files are replaced too. Artifacts that it does not offer are gone."""
    server.add_export(export_id="exp_twice", content={"csv": b"old", "json": b"[]"})
    old_url = server.url_for("exp_twice", "json")
    server.add_export(export_id="exp_twice", name="New", content={"csv": b"new"})
    (export,) = [export for export in server.exports if export.id == "exp_twice"]
    assert (export.name, export.artifacts) == ("New", ("csv",))
    assert (await fetch(server.url_for("exp_twice", "csv"))).body == b"new"
    assert (await fetch(old_url)).status == 404


# Recorded requests.


async def test_on_response_is_called_after_each_response(server: Emulator) -> None:
    """It gets the request with its status, or without one if nothing was sent, and the seconds."""
    calls: list[tuple[RecordedRequest, float]] = []
    server.on_response = lambda request, seconds: calls.append((request, seconds))
    await api_request(server)
    server.inject(Refuse(), times=None)
    with pytest.raises(aiohttp.ClientError):
        await fetch(server.url_for("exp_one", "csv"))
    seen = [(request.host, request.path, request.status) for request, _ in calls]
    assert seen[0] == ("api", "/v1/exports", 200)
    assert {(host, status) for host, _, status in seen[1:]} == {("storage", None)}
    assert [request for request, _ in calls] == server.requests
    assert all(seconds >= 0 for _, seconds in calls)


# Sample data.


async def test_sample_exports_are_realistic() -> None:
    """They have all resources and statuses and thousands of rows. CSV and JSON have the same values."""
    async with Emulator() as server:
        statuses = {"queued", "processing", "completed", "failed", "timed_out"}
        assert {export.status for export in server.exports} == statuses
        assert len({export.resource for export in server.exports}) == 10
        listing = (await api_request(server, "/v1/exports?limit=100")).json["data"]
        assert len(server.exports) == len(listing)
        first = server.exports[0]
        records = json.loads(server.content(first.id, "json"))
        table = list(csv.DictReader(io.StringIO(server.content(first.id, "csv").decode(), newline="")))
        assert len(table) == first.count_total == 5000
        assert table == [{name: str(value) for name, value in record.items()} for record in records]
        errors = server.content(first.id, "csv_error").decode()
        assert errors.partition("\r\n")[0].endswith(",error")
        assert server.content(first.id, "csv_sanitized").count(b"'") >= first.sanitized_rows


async def test_seed_determines_the_exports() -> None:
    """The same seed generates the same ids and bytes."""
    one, same, other = Emulator(seed=1), Emulator(seed=1), Emulator(seed=2)
    export_id = one.exports[3].id
    assert export_id == same.exports[3].id != other.exports[3].id
    assert one.content(export_id, "csv") == same.content(export_id, "csv")


# Control and secrets.


async def test_after_list_is_called_after_each_page(server: Emulator) -> None:
    """It is called with the page number, before the client's next request, and not after an error."""
    pages: list[int] = []
    server.after_list = pages.append
    await api_request(server)
    await api_request(server, "/v1/exports?page=4")
    await api_request(server, "/v1/exports?page=0")
    await api_request(server, "/v1/exports/exp_unknown")
    assert pages == [1, 4]


async def test_requests_are_recorded(server: Emulator, url: str) -> None:
    """With server, method, target, headers, export, artifact and status."""
    await fetch(url, Range="bytes=1-")
    await api_request(server, "/v1/exports/exp_one?include_csv=true")
    storage, api = server.requests
    assert (storage.host, storage.export_id, storage.artifact) == ("storage", "exp_one", "csv")
    assert storage.status == 206
    assert url.endswith(storage.target)
    assert storage.headers["range"] == "bytes=1-"
    assert (api.host, api.method, api.export_id, api.artifact) == ("api", "GET", "exp_one", None)
    assert (api.path, api.query) == ("/v1/exports/exp_one", {"include_csv": "true"})


async def test_no_repr_or_log_contains_a_secret(
    server: Emulator, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the key nor a signature."""
    caplog.set_level(logging.DEBUG)
    server.inject(Redirect(url))
    await fetch(url)
    await fetch(url)
    await api_request(server)
    signature = url.rpartition("=")[2]
    text = (
        f"{server!r} {server.requests!r} {server.exports!r} {Redirect(url)!r} {caplog.text} {vars(server)!r}"
    )
    assert "RecordedRequest" in text
    assert signature not in text
    assert server.api_key not in text.replace(repr(server.api_key), "", 1)


async def test_client_is_configured(server: Emulator, url: str) -> None:
    """`client()` returns an `AsyncPackageX` with the key and the base URL."""
    async with server.client() as px:
        assert [export.id async for export in px.exports.list()] == ["exp_one"]


def test_key_can_be_chosen() -> None:
    """The default is a random key."""
    assert Emulator(populate=False, api_key="chosen").api_key == "chosen"
    assert Emulator(populate=False).api_key != Emulator(populate=False).api_key
