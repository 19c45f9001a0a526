"""The two aiohttp sessions of a client, one for the API and one for storage."""

from __future__ import annotations

import codecs
import ssl as ssl_module
import warnings
from collections.abc import Sequence
from typing import Any, cast

import aiohttp
import attrs
from aiohttp.abc import AbstractResolver
from yarl import URL

from packagex_async._concurrency.open_streams import OpenStreams
from packagex_async._concurrency.tuning import TransferTuning
from packagex_async._transport.connector import CheckedConnector, max_connections
from packagex_async._transport.resolver import Resolver
from packagex_async._transport.url_policy import UrlPolicy, is_loopback
from packagex_async._utils.call_site import find_call_site
from packagex_async._utils.redaction import Secret
from packagex_async._version import __version__
from packagex_async.retry import RetryPolicy

_HEAD_LINE_SIZE = 64 * 1024
"""Maximum bytes of a status line, or of one header."""

_MAX_HEADERS = 256
"""The maximum number of headers of a response."""

_USER_AGENT = f"packagex-async/{__version__}"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class TransportSettings:
    """The settings of a client that concern the network.

    Attributes:
        base_url: The base URL of the API, without a trailing slash.
        key: The API key.
        policy: The retry policy.
        timeout: Seconds for one API request.
        stall_timeout: Seconds without bytes before a response of a storage host fails.
        connector: A connector of the caller. The client does not close it.
        proxy: The URL of a proxy for all requests.
        ssl: The TLS settings, as in aiohttp.
        trace_configs: Trace configurations of aiohttp, for both sessions.
        tuning: The sizes, times and rates of transfers.
        bandwidth_limit: The maximum rate of all transfers together in bytes per second; `None` for no limit.
    """

    base_url: str
    key: Secret
    policy: RetryPolicy
    timeout: float
    stall_timeout: float
    tuning: TransferTuning
    connector: aiohttp.BaseConnector | None = None
    proxy: URL | None = attrs.field(default=None, repr=False)
    ssl: ssl_module.SSLContext | aiohttp.Fingerprint | bool = True
    trace_configs: Sequence[aiohttp.TraceConfig] = ()
    bandwidth_limit: float | None = None


class Sessions:
    """A session for the API and a session for storage, opened at the first request.

    Each session has its own connection pool, so that API requests never wait for artifacts. A connector of
    the caller serves both. Neither session stores cookies or follows redirects.

    Args:
        settings: The settings of the client.

    Attributes:
        url_policy: The rules for URLs of artifacts.
        streams: The open streams. Each one occupies a connection.
    """

    # For `__del__` of an instance whose `__init__` was not completed.
    _closed = True

    def __init__(self, settings: TransportSettings) -> None:
        self.url_policy: UrlPolicy = UrlPolicy.for_base_url(settings.base_url)
        self.streams: OpenStreams = OpenStreams()
        self._settings = settings
        # With a proxy, only the name of the proxy is resolved here.
        self._resolver = Resolver(None if self.url_policy.allow_loopback or settings.proxy else is_loopback)
        self._own_connectors: list[aiohttp.BaseConnector] = []
        self._sessions: tuple[aiohttp.ClientSession, aiohttp.ClientSession] | None = None
        # The codec is imported now, because its import fails later if no file descriptors are left.
        codecs.lookup("idna")
        self._closed = False
        self._call_site = find_call_site()

    @property
    def base_url(self) -> str:
        """The base URL of the API."""
        return self._settings.base_url

    @property
    def api(self) -> aiohttp.ClientSession:
        """The session for the API. It does not add the key to requests."""
        return self._open()[0]

    @property
    def storage(self) -> aiohttp.ClientSession:
        """The session for storage. It sends no credentials, and does not decompress bodies."""
        return self._open()[1]

    def is_blocked(self) -> bool:
        """Return whether streams whose consumers do not read occupy all connections of the pool."""
        pool = self._settings.connector or self._own_connectors[1]
        limit = max_connections(pool)
        return limit is not None and self.streams.count_idle(self._settings.timeout) >= limit

    async def aclose(self) -> None:
        """Close the sessions and their connectors, except for a connector of the caller. Idempotent."""
        self._closed = True
        for session in self._sessions or ():
            await session.close()
        for connector in self._own_connectors:
            await connector.close()
        await self._resolver.close()

    def abandon(self) -> None:
        """Detach the sessions without closing connections, because their event loop is not usable."""
        self._closed = True
        for session in self._sessions or ():
            session.detach()
        for connector in self._own_connectors:
            # After a fork, the destructor would remove the parent's sockets from the shared selector.
            connector._closed = True  # pyright: ignore[reportPrivateUsage]

    def __del__(self) -> None:
        if self._closed or self._sessions is None:
            return
        # Detached sessions do not warn, and connectors of aiohttp close themselves.
        for session in self._sessions:
            session.detach()
        message = (
            f"AsyncPackageX(base_url={self.base_url!r}) was not closed: "
            "use it in an `async with` block, or await its aclose()"
        )
        warnings.warn_explicit(message, ResourceWarning, *self._call_site, source=self)

    def _open(self) -> tuple[aiohttp.ClientSession, aiohttp.ClientSession]:
        if self._sessions is None:
            _keep_read_buffers(self._settings.tuning.read_size)
            api = self._session(headers={"User-Agent": _USER_AGENT, "Accept": "application/json"})
            storage = self._session(
                headers={"User-Agent": _USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"},
                auto_decompress=False,
                read_bufsize=self._settings.tuning.read_size,
            )
            self._sessions = api, storage
        return self._sessions

    def _session(self, **options: Any) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=CheckedConnector(self._settings.connector or self._own_connector()),
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            requote_redirect_url=False,
            trust_env=False,
            trace_configs=list(self._settings.trace_configs),
            # Downloads may take hours. `RequestDeadline` and `StorageResponse` limit all waiting times.
            timeout=aiohttp.ClientTimeout(total=None),
            max_line_size=_HEAD_LINE_SIZE,
            max_field_size=_HEAD_LINE_SIZE,
            max_headers=_MAX_HEADERS,
            **options,
        )
        # aiohttp would send a GET again after a lost connection. `RetryPolicy` decides about that.
        session._retry_connection = False  # pyright: ignore[reportPrivateUsage]  # tested
        return session

    def _own_connector(self) -> aiohttp.BaseConnector:
        connector = aiohttp.TCPConnector(resolver=cast(AbstractResolver, self._resolver))
        self._own_connectors.append(connector)
        return connector


def _keep_read_buffers(size: int) -> None:
    # asyncio allocates 256 KiB for each read. glibc maps and unmaps the pages of each such block until a
    # larger block was freed once. The mapping takes longer than the read.
    bytes(2 * size)
