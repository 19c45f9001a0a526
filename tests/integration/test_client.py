"""`AsyncPackageX`: its options, and what it closes."""

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


async def key_of_request(api: aioresponses, px: AsyncPackageX, url: str) -> str:
    api.get(f"{url}/v1/exports/exp_1", payload={"id": "exp_1"})
    async with px:
        await px.exports.retrieve("exp_1")
    ((call,),) = api.requests.values()
    key: str = call.kwargs["headers"]["PX-API-KEY"]
    return key


async def test_key_from_the_argument(api: aioresponses, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes precedence over the environment variable. A trailing newline is removed."""
    monkeypatch.setenv("PX_API_KEY", "px_other")
    assert await key_of_request(api, AsyncPackageX("px_key\n"), "https://api.packagex.io") == "px_key"


async def test_key_from_the_environment_variable(api: aioresponses, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is used if no key is passed."""
    monkeypatch.setenv("PX_API_KEY", "px_env")
    assert await key_of_request(api, AsyncPackageX(), "https://api.packagex.io") == "px_env"


async def test_sandbox_host(api: aioresponses) -> None:
    """The API documentation names it."""
    px = AsyncPackageX("px_key", environment="sandbox")
    assert await key_of_request(api, px, "https://sandbox--api.packagex.io") == "px_key"


async def test_base_url_takes_precedence_over_environment(api: aioresponses) -> None:
    """It may have a path."""
    px = AsyncPackageX("px_key", environment="sandbox", base_url="https://gateway.example/packagex/")
    assert await key_of_request(api, px, "https://gateway.example/packagex") == "px_key"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "pass api_key, or set the environment variable PX_API_KEY"),
        ({"api_key": ""}, "pass api_key"),
        ({"api_key": "  \n"}, "pass api_key"),
        ({"api_key": 7}, "pass api_key"),
        ({"api_key": "px_CANARY\r\nX-Evil: 1"}, "non-ASCII or non-printable characters"),
        ({"api_key": "px_CANARYé"}, "non-ASCII or non-printable characters"),
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
def test_invalid_options_are_configuration_errors(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], message: str
) -> None:
    """The message says what to do, and contains no key."""
    monkeypatch.delenv("PX_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match=message) as caught:
        AsyncPackageX(**options)
    assert "CANARY" not in str(caught.value)


def test_client_is_created_before_the_event_loop(packagex_emulator: Emulator) -> None:
    """Its repr has the base URL and no key."""
    px = packagex_emulator.client()
    assert repr(px) == f"AsyncPackageX(base_url={packagex_emulator.base_url!r})"

    async def count() -> int:
        async with px:
            return len([export async for export in px.exports.list()])

    assert asyncio.run(count()) == len(packagex_emulator.exports)


async def test_aclose_is_idempotent(server: Emulator) -> None:
    """This also applies to an unused client."""
    unused = server.client()
    await unused.aclose()
    await unused.aclose()
    async with server.client() as px:
        await px.exports.pages().__anext__()
        await px.aclose()


async def test_trap_29_given_connector_is_not_closed(server: Emulator) -> None:
    """Other sessions may use it."""
    async with aiohttp.TCPConnector(limit=1) as connector:
        for _ in range(2):
            async with server.client(connector=connector) as px:
                await px.exports.pages().__anext__()
            assert not connector.closed
        async with aiohttp.ClientSession(connector=connector, connector_owner=False) as session:
            async with session.get(server.base_url) as response:
                assert response.status


async def test_proxy(server: Emulator) -> None:
    """Requests to the API and to storage hosts use it."""
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


async def test_ssl_context() -> None:
    """A private certificate authority is trusted only with the context that has it."""
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


async def test_trace_configs(server: Emulator) -> None:
    """They receive requests to the API and to storage hosts."""
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
