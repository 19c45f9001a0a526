"""Failures do not end a watch, except a rejected key, and are logged once per episode."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing

import attrs
import pytest

from packagex_async import (
    ApiError,
    AsyncPackageX,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConnectionFailedError,
    PermissionDeniedError,
    RetryPolicy,
)
from packagex_async.testing import Emulator
from packagex_async.testing.faults import Cut, Fault, Garbage, Redirect, Refuse, Status
from packagex_async.testing.server.reply import Reply
from packagex_async.testing.server.request import RecordedRequest
from tests.watching import Watched, open_watched

FAULTS = {
    "429": Status(429, on="api"),
    "429 with a long wait": Status(429, retry_after="86400", on="api"),
    "500": Status(500, on="api"),
    "503": Status(503, retry_after="3", on="api"),
    "unknown status": Status(418, on="api"),
    "not found": Status(404, on="api"),
    "refused": Status(400, on="api"),
    "redirect": Redirect(on="api"),
    "connection closed": Refuse(on="api"),
    "body cut": Cut(20, on="api"),
    "not JSON": Garbage(),
    "no page": Garbage(b'{"data": {}}'),
}
ENDS_FIRST_POLL = {"unknown status", "not found", "refused", "redirect"}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("name", FAULTS)
async def test_outage(watched: Watched, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """After the outage the watch continues. Its start and its end are logged, and nothing else."""
    caplog.set_level(logging.INFO, "packagex_async")
    first, second = (watched.server.add_export().id for _ in range(2))
    watched.server.update_export(second, status="processing")

    def change(number: int) -> None:
        if number == 2:
            watched.server.inject(FAULTS[name], times=23)
            watched.server.update_export(second, status="completed")

    await watched.run(30, change)
    assert watched.ids == [first, second]
    assert len(warnings(caplog)) == 1
    assert caplog.messages[-1] == "the API responds again"
    assert len(caplog.messages) == 2


@pytest.mark.parametrize("name", sorted(FAULTS.keys() - ENDS_FIRST_POLL))
async def test_outage_at_the_start(watched: Watched, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A watch may start while the API does not respond."""
    ids = [watched.server.add_export().id for _ in range(250)]
    watched.server.inject(FAULTS[name], times=24)
    await watched.run(30)
    assert sorted(watched.ids) == sorted(ids)
    assert len(warnings(caplog)) == 1


@pytest.mark.parametrize("name", sorted(ENDS_FIRST_POLL))
async def test_first_request_is_refused(watched: Watched, name: str) -> None:
    """An error that retries cannot fix ends the watch if no request has succeeded yet."""
    watched.server.inject(FAULTS[name])
    with pytest.raises(ApiError):
        await watched.run(1)


async def test_invalid_parameter(watched: Watched) -> None:
    """A parameter that the API refuses ends the watch."""
    with pytest.raises(BadRequestError, match="search"):
        await watched.run(1, search="a")


@pytest.mark.parametrize(("status", "error"), [(401, AuthenticationError), (403, PermissionDeniedError)])
async def test_rejected_key(watched: Watched, status: int, error: type[ApiError]) -> None:
    """A rejected key ends the watch at any poll."""
    watched.server.add_export()

    def change(number: int) -> None:
        if number == 3:
            watched.server.inject(Status(status, on="api"))

    with pytest.raises(error):
        await watched.run(5, change)
    assert (watched.clock.polls, len(watched.ids)) == (3, 1)


@attrs.frozen
class BadPage(Fault):
    """The server fails for one kind of list request."""

    name: str
    value: str

    def matches(self, request: RecordedRequest) -> bool:
        return request.query.get(self.name) == self.value

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        return Reply.of(500, b"{}")


@pytest.mark.parametrize(
    "fault",
    [BadPage("page", "3"), BadPage("order_by", "updated_at"), BadPage("statuses", "queued,processing")],
    ids=lambda fault: fault.name,
)
async def test_one_bad_page(fault: Fault) -> None:
    """A page that always fails does not hide the exports of other pages."""
    async with open_watched(policy=RetryPolicy(attempts=1), limit_cap=10) as watched:
        pending = [watched.server.add_export(status="processing").id for _ in range(12)]
        for _ in range(70):
            watched.server.add_export(created_at=watched.clock.now - 7200)
        watched.server.inject(fault, times=None)

        def change(number: int) -> None:
            if number == 30:
                watched.server.update_export(pending[3], status="completed")

        await watched.run(60, change)
        assert len(watched.ids) == len(set(watched.ids)) >= 61
        assert pending[3] in watched.ids


async def test_malformed_items_are_logged_once(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    """Malformed items are left out. They are logged again after a scan without any."""

    @attrs.frozen
    class Malformed(Fault):
        def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
            return Reply.of(200, reply.body.replace(b'"data": [', b'"data": [{"id": 5}, '))

    export_id = watched.server.add_export().id
    watched.server.inject(Malformed(), times=3)

    def change(number: int) -> None:
        if number == 5:
            watched.server.inject(Malformed(), times=3)

    await watched.run(10, change)
    assert watched.ids == [export_id]
    assert len(warnings(caplog)) == 2
    assert "left out" in warnings(caplog)[1]


async def test_closing_the_client_ends_the_watch() -> None:
    """A watch that waits for the next poll ends with an error at once."""
    async with Emulator(populate=False) as server:
        px = server.client()

        async def watch() -> None:
            async with aclosing(px.exports.watch(interval=3600)) as exports:
                await anext(exports)

        watching = asyncio.create_task(watch())
        while not server.requests:
            await asyncio.sleep(0)
        await px.aclose()
        with pytest.raises(ClientClosedError):
            await watching


async def test_closing_the_generator_ends_the_watch() -> None:
    """A closed generator sends no more requests."""
    async with Emulator() as server, server.client() as px:
        exports = px.exports.watch(interval=1e-9)
        await anext(exports)
        await exports.aclose()
        sent = len(server.requests)
        await px.exports.retrieve(server.exports[0].id)
        assert len(server.requests) == sent + 1


async def test_proxy_that_refuses_requests() -> None:
    """A connection failure that retries cannot fix ends the watch if there was no response yet."""
    async with Emulator() as proxy, AsyncPackageX("px_key", proxy=proxy.base_url) as px:
        with pytest.raises(ConnectionFailedError):
            await anext(px.exports.watch())
