"""`AsyncPackageX`: the front door."""

from __future__ import annotations

import os
import ssl as ssl_module
from collections.abc import Sequence
from numbers import Real
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from packagex_async._concurrency.limiter import DEFAULT_LIMIT, AdaptiveLimiter
from packagex_async._concurrency.operations import Operations
from packagex_async._context import ClientContext
from packagex_async._files.executor import FileExecutor
from packagex_async._transport.api_client import ApiClient
from packagex_async._transport.connector import max_connections
from packagex_async._transport.sessions import Sessions, TransportSettings
from packagex_async._transport.storage_client import StorageClient
from packagex_async._transport.url_policy import check_base_url, check_proxy
from packagex_async._utils.redaction import Secret
from packagex_async.errors import ConfigurationError
from packagex_async.exports import AsyncExports
from packagex_async.retry import RetryPolicy, SystemClock

if TYPE_CHECKING:
    from aiohttp import BaseConnector, Fingerprint, TraceConfig

ENVIRONMENTS = {
    "production": "https://api.packagex.io",
    "sandbox": "https://sandbox--api.packagex.io",
}
KEY_VARIABLE = "PX_API_KEY"
MAX_SECONDS = 366 * 24 * 3600
"""The longest timeout: clocks and system calls do not take any number."""


class AsyncPackageX:
    """A client of the PackageX API, for use in asyncio.

    Use it as `async with AsyncPackageX() as px:`, or call `aclose` when done: one that has sent something and
    is forgotten gives a `ResourceWarning` that names the line it was made in. It may be made before the event
    loop runs; connections are opened at the first request. One client serves any number of tasks of one event
    loop: another loop, another thread or a forked process needs a client of its own.

    A response of the API may have 64 MiB when it is decompressed; a larger one is a `DecodeError`.

    Args:
        api_key: The API key; from the environment variable `PX_API_KEY` unless given.
        environment: `"production"` or `"sandbox"`; each has keys of its own.
        base_url: Another base URL instead; https, or http to a loopback host such as the emulator's.
        retry: When requests are tried again.
        timeout: Seconds for one API request, and for opening one connection to a storage host. Waiting for a
            free connection does not count.
        stall_timeout: Seconds that an artifact may stand still, and that the head of a response from a
            storage host may take.
        connector: An aiohttp connector to use; it is never closed by the client. It serves the API and
            storage, and looks up names itself: a name that resolves to this machine is not refused then.
        proxy: The URL of an HTTP proxy for every request. Proxy variables of the environment are not read.
        ssl: How TLS is checked, as aiohttp takes it: an `SSLContext`, a `Fingerprint`; `None` is the default.
        trace_configs: aiohttp trace configurations. They see signed URLs, and the key among the headers: keep
            both out of what you record.

    Attributes:
        exports: The exports of the organization.

    Raises:
        ConfigurationError: No key, an unknown environment, or a base URL, a proxy or a number that cannot be
            used.
    """

    exports: AsyncExports

    def __init__(
        self,
        api_key: str | None = None,
        *,
        environment: Literal["production", "sandbox"] = "production",
        base_url: str | None = None,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008  # frozen
        timeout: float = 60.0,
        stall_timeout: float = 30.0,
        connector: BaseConnector | None = None,
        proxy: str | None = None,
        ssl: ssl_module.SSLContext | Fingerprint | bool | None = None,
        trace_configs: Sequence[TraceConfig] = (),
    ) -> None:
        settings = TransportSettings(
            base_url=_base_url(environment, base_url),
            key=_key(api_key),
            policy=retry,
            timeout=_seconds("timeout", timeout),
            stall_timeout=_seconds("stall_timeout", stall_timeout),
            connector=connector,
            proxy=None if proxy is None else check_proxy(proxy),
            ssl=True if ssl is None else ssl,
            trace_configs=trace_configs,
        )
        clock = SystemClock()
        self._operations = Operations()
        self._sessions = Sessions(settings)
        self._storage = StorageClient(self._sessions, settings, clock)
        self._disk = FileExecutor()
        self.exports = AsyncExports(
            ClientContext(
                sessions=self._sessions,
                api=ApiClient(self._sessions, settings, clock, self._operations),
                storage=self._storage,
                disk=self._disk,
                operations=self._operations,
                policy=retry,
                clock=clock,
                stall_timeout=settings.stall_timeout,
                limiter=AdaptiveLimiter(_capacity(connector), clock, retry_after_max=retry.retry_after_max),
            )
        )

    async def aclose(self) -> None:
        """End all running operations, and close sessions, connectors and threads of the client. Idempotent.

        Every running operation raises a `ClientClosedError` and cleans up as after a cancellation:
        `resume=True` keeps partial files. A `create` that may have been carried out raises an
        `UnconfirmedError`. What is called afterwards raises a `ClientClosedError`, too.

        Raises:
            ConfigurationError: The client is in use on another event loop.
        """
        if self._operations.is_abandoned():
            self._operations.closed = True
            self._sessions.abandon()
        else:
            await self._operations.close()
            self._storage.close()
            await self._sessions.aclose()
        self._disk.close()
        await self._operations.end_current()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncPackageX(base_url={self._sessions.base_url!r})"


def _base_url(environment: str, base_url: str | None) -> str:
    if base_url is not None:
        return check_base_url(base_url)
    if environment not in ENVIRONMENTS:
        raise ConfigurationError(f"environment must be one of {', '.join(ENVIRONMENTS)}, not {environment!r}")
    return ENVIRONMENTS[environment]


def _key(api_key: str | None) -> Secret:
    given = os.environ.get(KEY_VARIABLE, "") if api_key is None else api_key
    # Some editors begin a file with a byte order mark.
    key = given.strip().strip("\ufeff").strip() if isinstance(given, str) else ""
    if not key:
        raise ConfigurationError(f"no API key: pass api_key, or set the environment variable {KEY_VARIABLE}")
    if not (key.isascii() and key.isprintable()):
        raise ConfigurationError("the API key has characters that no key has: check how it was read")
    return Secret(key)


def _capacity(connector: BaseConnector | None) -> int:
    return (max_connections(connector) if connector is not None else None) or DEFAULT_LIMIT


def _seconds(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value <= MAX_SECONDS:
        raise ConfigurationError(f"{name} must be more than 0 seconds, and {MAX_SECONDS} (a year) at most")
    return float(value)
