"""`AsyncPackageX`: the client."""

from __future__ import annotations

import os
import ssl as ssl_module
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from packagex_async._concurrency import tuning
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
"""Maximum of a timeout; larger values overflow in system calls."""
MAX_RATE = 2**63 - 1
"""Maximum of a rate in bytes per second."""


class AsyncPackageX:
    """An asyncio client of the PackageX API.

    Use it as `async with AsyncPackageX() as px:`, or call `aclose` at the end. A used client that is not
    closed causes a `ResourceWarning` with the line that created it. A client can be created before the event
    loop runs; connections are opened by the first request. It can be shared by all tasks of one event loop.
    Another event loop, thread or forked process needs another client.

    Responses of the API are limited to 64 MiB after decompression. A larger response is a `DecodeError`.

    Args:
        api_key: The API key; default: the environment variable `PX_API_KEY`.
        environment: `"production"` or `"sandbox"`. Each has its own keys.
        base_url: Base URL to use instead of the environment's. It must be https, or http with a loopback host
            (the emulator).
        retry: When requests are repeated.
        timeout: Seconds for one API request, and for opening one connection to a storage host. Time in the
            queue for a free connection does not count.
        stall_timeout: Seconds without progress (less than 1 KiB per second) after which a transfer is aborted
            and retried, and seconds to wait for the headers of a response from a storage host.
        connector: An aiohttp connector for all requests. The client does not close it. It resolves names
            itself, so the client does not refuse names that resolve to loopback addresses.
        proxy: URL of an HTTP proxy for all requests. Proxy environment variables are ignored.
        ssl: TLS verification as in aiohttp: an `SSLContext`, a `Fingerprint`, a bool, or `None` (default
            verification).
        bandwidth_limit: Maximum bytes per second that all downloads and streams of this client receive
            together; default: no limit. Responses of the API do not count. With a limit, each artifact uses
            one connection. Reading pauses, so that the storage host sends more slowly; these pauses do not
            count for `stall_timeout`.
        trace_configs: aiohttp trace configurations. They receive signed URLs and the API key: do not log
            either.

    Attributes:
        exports: The exports of the organization.

    Raises:
        ConfigurationError: The API key is missing or malformed, or another option is invalid.
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
        bandwidth_limit: float | None = None,
    ) -> None:
        limit = None if bandwidth_limit is None else _rate("bandwidth_limit", bandwidth_limit)
        settings = TransportSettings(
            base_url=_base_url(environment, base_url),
            key=_api_key(api_key),
            policy=retry,
            timeout=_seconds("timeout", timeout),
            stall_timeout=_seconds("stall_timeout", stall_timeout),
            connector=connector,
            proxy=None if proxy is None else check_proxy(proxy),
            ssl=True if ssl is None else ssl,
            trace_configs=trace_configs,
            tuning=tuning.default_tuning if limit is None else tuning.limited_tuning(tuning.default_tuning),
            bandwidth_limit=limit,
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
                tuning=settings.tuning,
                limiter=AdaptiveLimiter(
                    _max_connections(connector), clock, retry_after_max=retry.retry_after_max
                ),
            )
        )

    async def aclose(self) -> None:
        """Cancel all running operations, and close sessions, connectors and threads. Idempotent.

        Every running operation raises a `ClientClosedError` and cleans up as after a cancellation:
        `resume=True` keeps partial files. A `create` whose request may have been executed raises an
        `UnconfirmedError`. Later calls raise a `ClientClosedError`.

        Raises:
            ConfigurationError: The client is in use in another event loop.
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


def _api_key(api_key: str | None) -> Secret:
    value = os.environ.get(KEY_VARIABLE, "") if api_key is None else api_key
    # Some editors write a byte order mark at the beginning of a file.
    key = value.strip().strip("\ufeff").strip() if isinstance(value, str) else ""
    if not key:
        raise ConfigurationError(f"no API key: pass api_key, or set the environment variable {KEY_VARIABLE}")
    if not (key.isascii() and key.isprintable()):
        raise ConfigurationError(
            "the API key contains non-ASCII or non-printable characters: check where it was read from"
        )
    return Secret(key)


def _max_connections(connector: BaseConnector | None) -> int:
    return (max_connections(connector) if connector is not None else None) or DEFAULT_LIMIT


def _seconds(name: str, value: float) -> float:
    if not _is_number(value) or not 0 < value <= MAX_SECONDS:
        raise ConfigurationError(f"{name} must be more than 0 seconds, and at most {MAX_SECONDS} (one year)")
    return float(value)


def _rate(name: str, value: float) -> float:
    if not _is_number(value) or not 1 <= value <= MAX_RATE:
        raise ConfigurationError(
            f"{name} must be from 1 to {MAX_RATE} bytes per second, or None for no limit"
        )
    return float(value)


def _is_number(value: object) -> bool:
    # The import of `numbers.Real` would take 0.4 ms. Numbers of other packages have a `__float__` method.
    return hasattr(value, "__float__") and not isinstance(value, bool)
