"""Changes of the server's data between two requests."""

from __future__ import annotations

from packagex_async.testing import Delete, Emulator, Insert, Replace
from tests.integration.testing.client import api_request, fetch, ids


async def test_listing_changes_after_a_page(server: Emulator) -> None:
    """Exports are deleted and added after the given page."""
    first, second = (server.add_export(rows=1).id for _ in range(2))
    server.inject(Delete(first))
    server.inject(Insert(export_id="exp_new", name="New"))
    server.inject(Delete(second, after_pages=2))
    assert ids(await api_request(server)) == [first, second]
    assert ids(await api_request(server)) == [second]
    assert ids(await api_request(server, "/v1/exports?page=2&limit=1")) == ["exp_new"]
    assert ids(await api_request(server)) == ["exp_new"]


async def test_replaced_object_has_a_new_etag(server: Emulator, url: str) -> None:
    """The matching request and all later ones get the new bytes. A missing object is not created."""
    etag = (await fetch(url)).headers["ETag"]
    server.inject(Replace(b"other bytes"))
    response = await fetch(url, Range="bytes=5-", If_Range=etag)
    assert (response.status, response.body) == (200, b"other bytes")
    assert response.headers["ETag"] != etag
    assert server.content("exp_one", "csv") == b"other bytes"
    server.inject(Replace(b"nothing"), times=2)
    server.delete_export("exp_one")
    assert (await fetch(url)).status == 404
    assert (await fetch(url.partition("/px-exports")[0] + "/")).status == 403
