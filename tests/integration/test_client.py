"""The front door: what it is given, and what it closes."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp import web
from aioresponses import aioresponses

from packagex_async import AsyncPackageX, ConfigurationError, ConnectionFailedError, RetryPolicy
from packagex_async.testing import Emulator


async def asked(api: aioresponses, px: AsyncPackageX, url: str) -> str:
    api.get(f"{url}/v1/exports/exp_1", payload={"id": "exp_1"})
    async with px:
        await px.exports.retrieve("exp_1")
    ((call,),) = api.requests.values()
    key: str = call.kwargs["headers"]["PX-API-KEY"]
    return key


async def test_the_key_comes_from_the_argument(api: aioresponses, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the environment, and without the newline it may have been read with."""
    monkeypatch.setenv("PX_API_KEY", "px_other")
    assert await asked(api, AsyncPackageX("px_key\n"), "https://api.packagex.io") == "px_key"


async def test_the_key_comes_from_the_environment(api: aioresponses, monkeypatch: pytest.MonkeyPatch) -> None:
    """When none is passed."""
    monkeypatch.setenv("PX_API_KEY", "px_env")
    assert await asked(api, AsyncPackageX(), "https://api.packagex.io") == "px_env"


async def test_the_sandbox_has_a_host_of_its_own(api: aioresponses) -> None:
    """As the vendor names it."""
    px = AsyncPackageX("px_key", environment="sandbox")
    assert await asked(api, px, "https://sandbox--api.packagex.io") == "px_key"


async def test_a_base_url_goes_before_the_environment(api: aioresponses) -> None:
    """And may have a path."""
    px = AsyncPackageX("px_key", environment="sandbox", base_url="https://gateway.example/packagex/")
    assert await asked(api, px, "https://gateway.example/packagex") == "px_key"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "pass api_key, or set the environment variable PX_API_KEY"),
        ({"api_key": ""}, "pass api_key"),
        ({"api_key": "  \n"}, "pass api_key"),
        ({"api_key": 7}, "pass api_key"),
        ({"api_key": "px_CANARY\r\nX-Evil: 1"}, "characters that no key has"),
        ({"api_key": "px_CANARYé"}, "characters that no key has"),
        (
            {"api_key": "k", "environment": "staging"},
            "environment must be one of production, sandbox, not 'staging'",
        ),
        ({"api_key": "k", "base_url": "http://api.packagex.io"}, "use https://"),
        ({"api_key": "k", "base_url": ""}, "use https://"),
        ({"api_key": "k", "proxy": "proxy:3128"}, "proxy cannot be used"),
        ({"api_key": "k", "proxy": "socks5://proxy:1080"}, "proxy cannot be used"),
        ({"api_key": "k", "proxy": ""}, "proxy cannot be used"),
        ({"api_key": "k", "proxy": 3128}, "proxy cannot be used"),
        ({"api_key": "k", "timeout": 0}, "timeout must be more than 0 seconds"),
        ({"api_key": "k", "stall_timeout": -1}, "stall_timeout must be more than 0 seconds"),
        ({"api_key": "k", "timeout": float("nan")}, "timeout must be more than 0 seconds"),
    ],
)
def test_what_cannot_work_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], says: str
) -> None:
    """The error says what to do, and shows no key."""
    monkeypatch.delenv("PX_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match=says) as caught:
        AsyncPackageX(**options)
    assert "CANARY" not in str(caught.value)


def test_a_client_is_made_before_the_loop_runs(packagex_emulator: Emulator) -> None:
    """At import time, say; and its repr shows where it points, not its key."""
    px = packagex_emulator.client()
    assert repr(px) == f"AsyncPackageX(base_url={packagex_emulator.base_url!r})"

    async def count() -> int:
        async with px:
            return len([export async for export in px.exports.list()])

    assert asyncio.run(count()) == len(packagex_emulator.exports)


async def test_closing_twice_does_no_harm(server: Emulator) -> None:
    """Used or not, with the block or without."""
    unused = server.client()
    await unused.aclose()
    await unused.aclose()
    async with server.client() as px:
        await px.exports.pages().__anext__()
        await px.aclose()


async def test_trap_29_a_connector_of_the_callers_is_never_closed(server: Emulator) -> None:
    """It is theirs, and may serve others."""
    async with aiohttp.TCPConnector(limit=1) as connector:
        for _ in range(2):
            async with server.client(connector=connector) as px:
                await px.exports.pages().__anext__()
            assert not connector.closed
        async with aiohttp.ClientSession(connector=connector, connector_owner=False) as session:
            async with session.get(server.base_url) as response:
                assert response.status


async def test_a_proxy_is_asked_in_place_of_the_host(server: Emulator) -> None:
    """For the API, as for storage."""
    seen: list[str] = []

    async def proxy(request: web.BaseRequest) -> web.Response:
        seen.append(request.raw_path)
        return web.json_response(
            {"id": "exp_1", "status": "completed", "_csv_url": "http://127.0.0.1:9/csv?sig=%2F"}
        )

    runner = web.ServerRunner(web.Server(proxy))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with AsyncPackageX("k", base_url="http://127.0.0.1:8", proxy=site.name) as px:
            async with px.exports.stream("exp_1", "csv") as body:
                [block async for block in body]
    finally:
        await runner.cleanup()
    assert seen == [
        "http://127.0.0.1:8/v1/exports/exp_1?include_csv=true&include_json=true",
        "http://127.0.0.1:9/csv?sig=%2F",
    ]


async def test_a_certificate_is_checked_by_the_callers_context() -> None:
    """An own authority is trusted when it is named, and refused when it is not."""
    authority = trustme.CA()
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(server_side)

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.json_response({"id": "exp_1"})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_side)
    await site.start()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    once = RetryPolicy(attempts=1)
    try:
        async with AsyncPackageX("k", base_url=site.name, ssl=trusting, retry=once) as px:
            assert (await px.exports.retrieve("exp_1")).id == "exp_1"
        async with AsyncPackageX("k", base_url=site.name, retry=once) as px:
            with pytest.raises(ConnectionFailedError, match="certificate"):
                await px.exports.retrieve("exp_1")
    finally:
        await runner.cleanup()


async def test_trace_configs_see_every_request(server: Emulator) -> None:
    """Of both sessions."""
    hosts: list[int | None] = []
    trace = aiohttp.TraceConfig()

    async def started(_: Any, __: Any, params: aiohttp.TraceRequestStartParams) -> None:
        hosts.append(params.url.port)

    trace.on_request_start.append(started)
    export = server.add_export(rows=1)
    async with server.client(trace_configs=[trace]) as px:
        async with px.exports.stream(export.id, "csv") as body:
            [block async for block in body]
    assert len(set(hosts)) == 2
