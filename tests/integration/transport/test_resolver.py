"""Name resolution: loopback addresses are refused, and failures are named."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from packagex_async import AsyncPackageX, ConnectionFailedError, Export, RetryPolicy, StorageError
from packagex_async.testing import Emulator
from tests.faults.scenario import TIMEOUT_SECONDS
from tests.integration.transport.server import Connection, Server, forever, response
from tests.support import NO_BACKOFF
from tests.time_limits import LIMITED, TimeLimits

NO_RETRY_IN_TIME = RetryPolicy(wait_initial=1000, wait_max=1000)
REFUSED = "resolves to an address of this machine"
ADDRESSES = ["127.0.0.1", "127.8.8.8", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"]

Resolve = Callable[..., None]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Make the system resolve every name to the given addresses."""

    def set_addresses(*addresses: str) -> None:
        def getaddrinfo(_: object, port: int, *__: object) -> list[Any]:
            return [_entry(address, port) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return set_addresses


def _entry(address: str, port: int) -> tuple[Any, ...]:
    if ":" in address:
        return socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)


@pytest.mark.parametrize("address", ADDRESSES)
async def test_storage_host_on_this_machine_is_refused(resolve: Resolve, address: str) -> None:
    """The URL contains a public name."""
    resolve(address)
    linked = Export(id="exp_1", csv_url="https://storage.example/a?sig=CANARY")
    async with asyncio.timeout(TIMEOUT_SECONDS), AsyncPackageX("key", retry=NO_RETRY_IN_TIME) as px:
        with pytest.raises(StorageError, match=f"the name storage.example {REFUSED}"):
            async with px.exports.stream(linked, "csv"):
                pytest.fail("it was refused before")


@pytest.mark.parametrize("address", ADDRESSES)
async def test_api_on_this_machine_is_refused(resolve: Resolve, address: str) -> None:
    """Unless `base_url` has a loopback host."""
    resolve(address)
    async with asyncio.timeout(TIMEOUT_SECONDS), AsyncPackageX("key", retry=NO_RETRY_IN_TIME) as px:
        with pytest.raises(ConnectionFailedError, match=f"the name api.packagex.io {REFUSED}") as caught:
            await px.exports.retrieve("exp_1")
    assert not caught.value.retryable


async def test_only_public_addresses_of_a_name_are_used(resolve: Resolve) -> None:
    """The name has a public and a loopback address."""
    requested: list[Any] = []
    resolve("127.0.0.1", "192.0.2.1")

    async def refuse(*_: Any, addr_infos: Any, **__: Any) -> Any:
        requested.extend(info[4][0] for info in addr_infos)
        raise OSError(101, "unreachable")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aiohappyeyeballs.start_connection", refuse)
        async with AsyncPackageX("key", retry=NO_BACKOFF) as px:
            with pytest.raises(ConnectionFailedError):
                await px.exports.retrieve("exp_1")
    assert set(requested) == {"192.0.2.1"}


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "a.localhost"])
async def test_loopback_is_allowed_for_a_loopback_base_url(
    server: Emulator, resolve: Resolve, host: str
) -> None:
    """In any notation."""
    resolve("127.0.0.1")
    stored = server.add_export(rows=1)
    url = server.base_url.replace("127.0.0.1", host)
    async with AsyncPackageX(server.api_key, base_url=url, retry=NO_BACKOFF) as px:
        assert (await px.exports.retrieve(stored.id)).id == stored.id


async def test_proxy_on_this_machine_is_allowed(resolve: Resolve) -> None:
    """The proxy resolves the names of hosts, and the caller has chosen the proxy."""
    resolve("127.0.0.1")

    async def handler(connection: Connection) -> None:
        requests.append(await connection.request())
        await connection.send(response(b"", status="403 Forbidden"))

    requests: list[str] = []
    async with Server(handler) as proxy:
        async with AsyncPackageX("key", proxy=f"http://localhost:{proxy.port}", retry=NO_BACKOFF) as px:
            with pytest.raises(ConnectionFailedError, match="the proxy refused"):
                await px.exports.retrieve("exp_1")
    assert requests == ["CONNECT api.packagex.io:443"]


class LoopbackResolver(AbstractResolver):
    """A resolver that resolves every name to this machine."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)
        ]

    async def close(self) -> None:
        pass


async def test_connector_of_the_caller_resolves_names(limits: TimeLimits) -> None:
    """Its resolver may return loopback addresses. The request fails for another reason."""

    async def handler(_: Connection) -> None:
        await limits.end_when_running()
        await forever()

    async with aiohttp.TCPConnector(resolver=LoopbackResolver()) as connector, Server(handler) as server:
        url = f"https://storage.example:{server.port}/a"
        async with AsyncPackageX("key", connector=connector, retry=NO_BACKOFF, **LIMITED) as px:
            with pytest.raises(StorageError, match="no connection within"):
                async with px.exports.stream(Export(id="exp_1", csv_url=url), "csv"):
                    pytest.fail("the server does not use TLS")
        assert server.connections


async def test_missing_thread_is_a_failed_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system cannot start more threads. The request is retried."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with AsyncPackageX("key", retry=NO_BACKOFF) as px:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(ConnectionFailedError, match="no thread could be started"):
                await px.exports.retrieve("exp_1")


async def test_missing_file_descriptor_is_a_failed_connection(
    server: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system cannot open more sockets."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(24, "CANARY")

    async with server.client(retry=NO_BACKOFF) as px:
        with monkeypatch.context() as patch:
            patch.setattr(socket, "socket", refuse)
            with pytest.raises(ConnectionFailedError, match="this process has too many open files"):
                await px.exports.retrieve("exp_1")
