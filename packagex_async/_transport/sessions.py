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
from packagex_async._transport.connector import CheckedConnector, capacity
from packagex_async._transport.resolver import Resolver
from packagex_async._transport.url_policy import UrlPolicy, is_loopback
from packagex_async._utils.call_site import caller
from packagex_async._utils.redaction import Secret
from packagex_async._version import __version__
from packagex_async.retry import RetryPolicy

READ_SIZE = 256 * 1024
"""Bytes that aiohttp buffers of a body from storage."""

_HEAD_LINE_SIZE = 64 * 1024
"""Bytes of a status line, or of one header."""

_MAX_HEADERS = 256
"""How many headers a response may have."""

_USER_AGENT = f"packagex-async/{__version__}"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class TransportSettings:
    """The settings of a client that concern the network.

    Attributes:
        base_url: The base URL of the API, without a slash at its end.
        key: The API key.
        policy: When requests are tried again.
        timeout: Seconds for one API request.
        stall_timeout: Seconds that a storage host may send nothing.
        connector: A connector of the caller, which is never closed here.
        proxy: The URL of a proxy for every request.
        ssl: How TLS is checked, as aiohttp takes it.
        trace_configs: Trace configurations of aiohttp, for both sessions.
    """

    base_url: str
    key: Secret
    policy: RetryPolicy
    timeout: float
    stall_timeout: float
    connector: aiohttp.BaseConnector | None = None
    proxy: URL | None = attrs.field(default=None, repr=False)
    ssl: ssl_module.SSLContext | aiohttp.Fingerprint | bool = True
    trace_configs: Sequence[aiohttp.TraceConfig] = ()


class Sessions:
    """A session for the API and a session for storage, opened at the first request.

    Each session has its own connection pool, so that API requests never wait for artifacts. A connector of
    the caller serves both. Neither session stores cookies or follows redirects.

    Args:
        settings: The settings of the client.

    Attributes:
        rules: Which addresses may be requested.
        streams: The open streams, each of which holds a connection.
    """

    # An instance that was not initialized completely, such as a failed copy, has nothing to close.
    _closed = True

    def __init__(self, settings: TransportSettings) -> None:
        self.rules = UrlPolicy.beside(settings.base_url)
        self.streams = OpenStreams()
        self._settings = settings
        # With a proxy, the proxy looks up every name except its own.
        self._resolver = Resolver(None if self.rules.loopback or settings.proxy else is_loopback)
        self._own_connectors: list[aiohttp.BaseConnector] = []
        self._sessions: tuple[aiohttp.ClientSession, aiohttp.ClientSession] | None = None
        # The import of this codec takes a file descriptor, and there may be none left at the first request.
        codecs.lookup("idna")
        self._closed = False
        self._made_by = caller()

    @property
    def base_url(self) -> str:
        """The base URL of the API."""
        return self._settings.base_url

    @property
    def api(self) -> aiohttp.ClientSession:
        """The session for the API. It sends no key by itself."""
        return self._open()[0]

    @property
    def storage(self) -> aiohttp.ClientSession:
        """The session for storage. It sends no credentials, and does not decompress bodies."""
        return self._open()[1]

    def is_blocked(self) -> bool:
        """Whether streams whose consumers do not read hold all connections of the pool."""
        pool = self._settings.connector or self._own_connectors[1]
        limit = capacity(pool)
        return limit is not None and self.streams.count_idle(self._settings.timeout) >= limit

    async def aclose(self) -> None:
        """Close the sessions, and the connectors unless they are the caller's. Idempotent."""
        self._closed = True
        for session in self._sessions or ():
            await session.close()
        for connector in self._own_connectors:
            await connector.close()
        await self._resolver.close()

    def abandon(self) -> None:
        """Detach the sessions and close no connection: their event loop is closed, or is the parent's."""
        self._closed = True
        for session in self._sessions or ():
            session.detach()
        for connector in self._own_connectors:
            # The destructor would remove the parent's sockets from the selector that both processes share.
            connector._closed = True  # pyright: ignore[reportPrivateUsage]

    def __del__(self) -> None:
        if self._closed or self._sessions is None:
            return
        # A session without a connector does not warn; a connector of aiohttp closes itself.
        for session in self._sessions:
            session.detach()
        message = (
            f"AsyncPackageX(base_url={self.base_url!r}) was not closed: "
            "use it in an `async with` block, or await its aclose()"
        )
        warnings.warn_explicit(message, ResourceWarning, *self._made_by, source=self)

    def _open(self) -> tuple[aiohttp.ClientSession, aiohttp.ClientSession]:
        if self._sessions is None:
            _keep_read_buffers()
            api = self._session(headers={"User-Agent": _USER_AGENT, "Accept": "application/json"})
            storage = self._session(
                headers={"User-Agent": _USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"},
                auto_decompress=False,
                read_bufsize=READ_SIZE,
            )
            self._sessions = api, storage
        return self._sessions

    def _session(self, **options: Any) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=CheckedConnector(self._settings.connector or self._own_connector()),
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            requote_redirect_url=False,
            trust_env=False,
            middlewares=(_send_once,),
            trace_configs=list(self._settings.trace_configs),
            # A large artifact may take hours. `RequestDeadline` and `StorageResponse` limit the rest.
            timeout=aiohttp.ClientTimeout(total=None),
            max_line_size=_HEAD_LINE_SIZE,
            max_field_size=_HEAD_LINE_SIZE,
            max_headers=_MAX_HEADERS,
            **options,
        )

    def _own_connector(self) -> aiohttp.BaseConnector:
        connector = aiohttp.TCPConnector(resolver=cast(AbstractResolver, self._resolver))
        self._own_connectors.append(connector)
        return connector


def _keep_read_buffers() -> None:
    # asyncio allocates 256 KiB for each read. Until glibc has freed a larger block, it maps and unmaps pages
    # for each of them, which takes longer than the read.
    bytes(2 * READ_SIZE)


async def _send_once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    # aiohttp repeats a GET by itself after these errors. Only the retry policy repeats requests.
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError from error
