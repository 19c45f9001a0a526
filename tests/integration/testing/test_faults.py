"""Injecting faults."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from packagex_async.testing import (
    Delete,
    Emulator,
    Expired,
    Fault,
    Garbage,
    Redirect,
    Refuse,
    Reset,
    Status,
    Trickle,
)
from tests.integration.testing.client import CREATE_BODY, api_request, create, fetch, ids


async def test_each_request_gets_the_first_matching_fault(server: Emulator, url: str) -> None:
    """Each fault applies to as many requests as requested; later requests succeed."""
    server.inject(Status(500, on="storage", export_id="exp_other"), times=None)
    server.inject(Status(503, on="storage", artifact="csv"), times=2)
    server.inject(Status(429, retry_after="7", body=b"slow down", on="api"), times=None)
    server.inject(Expired(export_id="exp_one"))
    assert [(await fetch(url)).status for _ in range(4)] == [503, 503, 403, 200]
    for _ in range(3):
        response = await api_request(server)
        assert (response.status, response.headers["Retry-After"], response.body) == (429, "7", b"slow down")
    with pytest.raises(ValueError, match="at least 1"):
        server.inject(Expired(), times=0)


class ExtraHeader(Fault):
    """A user's subclass of `Fault`."""

    def rewrite_response(self, reply: Any, request: Any) -> Any:
        return reply.with_headers({"X-Host": request.host})


async def test_custom_fault(server: Emulator, url: str) -> None:
    """A subclass of `Fault` overrides some methods. By default it matches every request."""
    server.inject(ExtraHeader(), times=2)
    responses = await fetch(url), await api_request(server)
    assert [response.headers["X-Host"] for response in responses] == ["storage", "api"]
    assert "X-Host" not in (await fetch(url)).headers


async def test_redirect_and_garbage(server: Emulator, url: str) -> None:
    """The location is sent byte for byte; by default it is the requested one. Garbage is 200 without JSON."""
    server.inject(Redirect())
    server.inject(Redirect("https://elsewhere.example/%2F?a=%40"))
    server.inject(Garbage())
    itself, elsewhere, garbage = await fetch(url), await fetch(url), await api_request(server)
    assert (itself.status, url.endswith(itself.headers["Location"])) == (302, True)
    assert elsewhere.headers["Location"] == "https://elsewhere.example/%2F?a=%40"
    assert (garbage.status, garbage.headers["Content-Type"]) == (200, "text/html")
    assert garbage.body.startswith(b"<html>")


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
async def test_rejected_request_is_not_executed(server: Emulator, fault: Fault, count: int) -> None:
    """`Status.done` changes that."""
    server.inject(fault)
    await create(server)
    assert len(server.created) == count
    assert json.loads(server.requests[0].body) == CREATE_BODY


@pytest.mark.parametrize("fault", [Refuse(on="api"), Reset(0, on="api")])
async def test_connection_fails_after_the_request_is_executed(server: Emulator, fault: Fault) -> None:
    """The export is created, but the client gets an error."""
    server.inject(fault)
    with pytest.raises(aiohttp.ClientError):
        await create(server)
    assert ids(await api_request(server)) == list(server.created)
    assert len(server.created) == 1


async def test_creation_is_not_a_listing(server: Emulator) -> None:
    """Faults for pages of a listing wait for such a request."""
    server.add_export(rows=1, export_id="exp_old")
    server.inject(Delete("exp_old"))
    pages: list[int] = []
    server.after_list = pages.append
    await create(server)
    assert (pages, len(server.exports)) == ([], 2)
    await api_request(server)
    assert (pages, [export.id for export in server.exports]) == ([1], list(server.created))
