"""The edge to the network: one retry layer, two sessions, nothing of ours sent to storage."""

from __future__ import annotations

import asyncio
from email.utils import formatdate

import aiohttp
import pytest
from aioresponses import aioresponses

from packagex_async import (
    ApiError,
    AsyncPackageX,
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    DecodeError,
    Export,
    LinkExpiredError,
    NotFoundError,
    PackageXError,
    RateLimitError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    StalledError,
    StorageError,
    StorageUnreachableError,
)
from packagex_async.testing import Emulator, Expired, Garbage, Redirect, Refuse, Reset, Stall, Status
from tests.support import AT_ONCE, FakeClock, exports_on

ONCE = RetryPolicy(attempts=1)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_passing_failure_of_the_api_is_tried_again(server: Emulator, status: int) -> None:
    """After waits that grow, with full jitter."""
    export = server.add_export(rows=1)
    server.inject(Status(status, on="api"), times=3)
    clock = FakeClock(dice=1.0)
    async with exports_on(clock, server) as exports:
        assert (await exports.retrieve(export.id)).id == export.id
    assert clock.slept == [0.5, 1.0, 2.0]
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("status", "kind"), [(400, ApiError), (404, NotFoundError), (501, ServerError), (302, ApiError)]
)
async def test_a_lasting_failure_is_raised_at_once(
    server: Emulator, status: int, kind: type[ApiError]
) -> None:
    """Trying again would not help."""
    server.inject(Status(status, on="api"))
    clock = FakeClock()
    async with exports_on(clock, server) as exports:
        with pytest.raises(kind) as caught:
            await exports.retrieve("exp_1")
    assert caught.value.status == status
    assert caught.value.endpoint == "GET /v1/exports/exp_1"
    assert clock.slept == []


async def test_the_last_failure_is_what_is_raised(server: Emulator) -> None:
    """After as many tries as the policy allows."""
    server.inject(Status(503, on="api"), times=None)
    clock = FakeClock(dice=0.0)
    async with exports_on(clock, server) as exports:
        with pytest.raises(ServerError):
            await exports.retrieve("exp_1")
    assert len(server.requests) == 5
    assert len(clock.slept) == 4


async def test_trap_14_retry_after_is_waited_out(server: Emulator) -> None:
    """In seconds and as a date, with jitter on top."""
    export = server.add_export(rows=1)
    clock = FakeClock(dice=0.5)
    server.inject(Status(429, retry_after="30", on="api"))
    server.inject(Status(503, retry_after=formatdate(server.now() + 60, usegmt=True), on="api"))
    async with exports_on(clock, server) as exports:
        await exports.retrieve(export.id)
    assert clock.slept[0] == 30.25
    assert 58 <= clock.slept[1] <= 61


@pytest.mark.parametrize("late", ["121", formatdate(4_102_444_800, usegmt=True)])
async def test_trap_14_a_retry_after_beyond_the_cap_is_not_slept_through(server: Emulator, late: str) -> None:
    """It is raised, and says how long the server asked for."""
    server.inject(Status(429, retry_after=late, on="api"))
    clock = FakeClock()
    async with exports_on(clock, server) as exports:
        with pytest.raises(RateLimitError) as caught:
            await exports.retrieve("exp_1")
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 120
    assert clock.slept == []


@pytest.mark.parametrize("fault", [Refuse(on="api"), Reset(3, on="api")])
async def test_a_broken_connection_to_the_api_is_tried_again(server: Emulator, fault: Refuse | Reset) -> None:
    """Whether it broke before or within the answer."""
    export = server.add_export(rows=1)
    server.inject(fault, times=2)
    clock = FakeClock()
    async with exports_on(clock, server) as exports:
        await exports.retrieve(export.id)
    assert len(clock.slept) == 2


async def test_trap_14_one_attempt_is_one_request(server: Emulator) -> None:
    """There is one retry layer: nothing below it sends anything again."""
    async with server.client(retry=ONCE) as px:
        for fault in (Refuse(on="api"), Reset(3, on="api"), Status(503, on="api")):
            server.inject(fault)
            with pytest.raises(PackageXError):
                await px.exports.retrieve("exp_1")
    assert len(server.requests) == 3


async def test_an_api_that_keeps_silent_is_a_timeout(server: Emulator) -> None:
    """Within `timeout` seconds, and it says for what."""
    server.inject(Stall(0, on="api"), times=None)
    async with server.client(retry=ONCE, timeout=0.05) as px:
        with pytest.raises(RequestTimeoutError, match="GET /v1/exports/exp_1: no answer in time"):
            await px.exports.retrieve("exp_1")


async def test_waiting_for_a_connection_is_no_silence(server: Emulator) -> None:
    """A download holds the only connection for longer than an API request may take; the request waits."""
    export = server.add_export(rows=100)
    server.inject(Stall(10))
    linked = Export(id=export.id, csv_url=server.url_for(export.id, "csv"))
    async with aiohttp.TCPConnector(limit=1) as connector:
        async with server.client(connector=connector, retry=ONCE, timeout=0.1, stall_timeout=0.4) as px:
            async with px.exports.stream(linked, "csv") as body:
                waiting = asyncio.create_task(px.exports.retrieve(export.id))
                with pytest.raises(StalledError):
                    [block async for block in body]
                assert not waiting.done()
            assert (await waiting).id == export.id


async def test_an_api_that_is_not_there_is_a_failed_connection(server: Emulator) -> None:
    """A closed port, by its own name."""
    await server.aclose()
    async with server.client(retry=AT_ONCE) as px:
        with pytest.raises(
            ConnectionFailedError, match=r"GET /v1/exports/exp_1: could not connect to .+: connection refused"
        ):
            await px.exports.retrieve("exp_1")


async def test_a_portal_page_is_a_decode_error(server: Emulator) -> None:
    """What answers in the API's place is not taken for it."""
    server.inject(Garbage())
    async with server.client() as px:
        with pytest.raises(DecodeError, match="is not JSON"):
            await px.exports.retrieve("exp_1")


async def test_trap_08_the_key_goes_to_the_api_and_nowhere_else(server: Emulator, px: AsyncPackageX) -> None:
    """Nor does anything else of ours reach storage, and no cookie comes back."""
    export = server.add_export(rows=3)
    async with px.exports.stream(export.id, "csv") as body:
        [block async for block in body]
    to_api, to_storage = server.requests
    assert to_api.headers["PX-API-KEY"] == server.api_key
    assert to_storage.host == "storage"
    assert server.api_key not in str(dict(to_storage.headers))
    assert {name.lower() for name in to_storage.headers} == {
        "host",
        "accept",
        "accept-encoding",
        "user-agent",
    }
    assert to_storage.headers["Accept-Encoding"] == "identity"


async def test_trap_08_the_api_session_follows_no_redirect(server: Emulator, px: AsyncPackageX) -> None:
    """The key is not carried to where an answer points."""
    server.inject(Redirect(f"{server.base_url}/v1/exports", on="api"))
    with pytest.raises(ApiError, match="redirects are not followed"):
        await px.exports.retrieve("exp_1")
    assert len(server.requests) == 1


async def test_trap_07_a_presigned_url_reaches_the_wire_byte_for_byte(
    server: Emulator, px: AsyncPackageX
) -> None:
    """The request target is the text of the URL, escapes and all."""
    export = server.add_export(rows=3)
    retrieved = await px.exports.retrieve(export.id, include_csv=True, include_json=True)
    async with px.exports.stream(retrieved, "csv") as body:
        [block async for block in body]
    assert retrieved.csv_url is not None
    assert retrieved.csv_url.endswith(server.requests[-1].target)
    assert "%2F" in server.requests[-1].target


async def test_trap_11_redirects_of_storage_are_followed_five_times(
    server: Emulator, px: AsyncPackageX
) -> None:
    """Exactly as they are written; the sixth is one too many."""
    export = server.add_export(rows=3)
    retrieved = await px.exports.retrieve(export.id, include_csv=True, include_json=True)
    server.inject(Redirect(), times=5)
    async with px.exports.stream(retrieved, "csv") as body:
        assert b"".join([block async for block in body]) == server.content(export.id, "csv")
    server.inject(Redirect(), times=6)
    with pytest.raises(StorageError, match="redirects more than 5 times"):
        async with px.exports.stream(retrieved, "csv"):
            pytest.fail("it was refused before")


@pytest.mark.parametrize(
    "location",
    ["http://storage.example/a", "file:///etc/passwd", "https://user@storage.example/a", "https://a b/"],
)
async def test_trap_11_a_redirect_cannot_lead_anywhere(
    server: Emulator, px: AsyncPackageX, location: str
) -> None:
    """No downgrade, no other scheme, no credential."""
    export = server.add_export(rows=3)
    server.inject(Redirect(location))
    with pytest.raises(StorageError, match="its address may not be fetched"):
        async with px.exports.stream(export.id, "csv"):
            pytest.fail("it was refused before")


async def test_a_redirect_without_a_place_is_refused(server: Emulator, px: AsyncPackageX) -> None:
    """There is nowhere to go."""
    export = server.add_export(rows=3)
    server.inject(Status(302, on="storage"))
    with pytest.raises(StorageError, match="answered 302"):
        async with px.exports.stream(export.id, "csv"):
            pytest.fail("it was refused before")


async def test_an_expired_link_is_told_apart_from_a_refusal(server: Emulator, px: AsyncPackageX) -> None:
    """By what the storage host says of it, whole or cut short."""
    export = server.add_export(rows=3)
    server.inject(Expired(), times=2)
    server.inject(Status(403, body=b"<Code>AccessDenied</Code>" + b" " * 10_000, on="storage"))
    server.inject(Status(403, body=b"", on="storage"))
    for kind in (LinkExpiredError, StorageError, StorageError):
        with pytest.raises(kind) as caught:
            async with px.exports.stream(export.id, "csv"):
                pytest.fail("it was refused before")
        assert type(caught.value) is kind


async def test_storage_that_is_not_there_or_silent_is_told_apart(server: Emulator) -> None:
    """After as many tries as the policy allows."""
    export = server.add_export(rows=3)
    async with server.client(retry=RetryPolicy(attempts=2, wait_initial=0), stall_timeout=0.3) as px:
        server.inject(Refuse(), times=2)
        with pytest.raises(StorageUnreachableError, match="closed the connection before the response"):
            async with px.exports.stream(export.id, "csv"):
                pytest.fail("there is no answer")
        server.inject(Stall(0), times=2)
        with pytest.raises(StalledError, match="no more bytes came in time after 0 of"):
            async with px.exports.stream(export.id, "csv") as body:
                [block async for block in body]


async def test_a_refusal_that_breaks_off_is_still_a_refusal(server: Emulator, px: AsyncPackageX) -> None:
    """The status says enough."""
    export = server.add_export(rows=3)
    retrieved = await px.exports.retrieve(export.id, include_csv=True, include_json=True)
    broken = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 99\r\n\r\n<Error>")
        writer.close()
        await writer.wait_closed()
        broken.set()

    storage = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with storage:
        host, port = storage.sockets[0].getsockname()
        server.inject(Redirect(f"http://{host}:{port}/a"))
        with pytest.raises(StorageError, match="answered 403"):
            async with px.exports.stream(retrieved, "csv"):
                pytest.fail("it was refused before")
        await broken.wait()


async def test_a_closed_client_says_so(server: Emulator) -> None:
    """Instead of failing somewhere inside."""
    px = server.client()
    await px.aclose()
    with pytest.raises(ConfigurationError, match="the client is closed"):
        await px.exports.retrieve("exp_1")


async def test_a_wrong_key_is_an_authentication_error(server: Emulator) -> None:
    """With what to do about it."""
    async with AsyncPackageX("px_wrong", base_url=server.base_url) as px:
        with pytest.raises(AuthenticationError, match="check the key"):
            await px.exports.retrieve("exp_1")


async def test_requests_carry_the_parameters_of_the_api(api: aioresponses) -> None:
    """Against the production host, as the vendor's page writes them."""
    url = "https://api.packagex.io/v1/exports/exp_1?include_csv=true&include_json=true"
    api.get(url, payload={"id": "exp_1", "_json_url": "https://storage.example/a?sig=1"})
    async with AsyncPackageX("px_key") as px:
        export = await px.exports.retrieve("exp_1", include_csv=True, include_json=True)
    assert export.json_url == "https://storage.example/a?sig=1"
