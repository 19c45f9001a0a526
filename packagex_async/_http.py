"""The edge to the network: two sessions over one connector, JSON under the retry policy, byte streams."""

from __future__ import annotations

import asyncio
import ssl as ssl_module
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, cast

import aiohttp
import attrs
from aiohttp.abc import AbstractResolver
from multidict import MultiMapping
from yarl import URL

from packagex_async import _log, _wire
from packagex_async._budget import DEFAULT_LIMIT, Budget
from packagex_async._caller import caller
from packagex_async._intake import BUFFER_SIZE, PART_BUFFER_SIZE, Block, Intake
from packagex_async._pace import Pace
from packagex_async._redact import Secret, redact
from packagex_async._resolve import Resolver
from packagex_async._storage import Link, refusal
from packagex_async._urls import AddressRules, redirect_target
from packagex_async._version import __version__
from packagex_async.errors import (
    ApiError,
    ConfigurationError,
    ConnectionFailedError,
    DecodeError,
    DownloadError,
    RequestTimeoutError,
    StalledError,
    StorageError,
    StorageUnreachableError,
    UnconfirmedError,
)
from packagex_async.retry import RETRYABLE_STATUSES, Clock, Retries, RetryPolicy

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_READ_SIZE = 256 * 1024
_REFUSAL_SIZE = 4096
_WORTH_A_CONNECTION = 16 * 1024 * 1024
"""Bytes of a body from which it does not matter that its connection cannot be used again."""
_RANGE_NOT_SATISFIABLE = 416
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_JSON = {"Content-Type": "application/json"}
_TRANSPORT_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)
_USER_AGENT = f"packagex-async/{__version__}"


@attrs.define(eq=False, repr=False)
class _Exchange:
    """One request to the API under way.

    Attributes:
        limit: The time it has.
        connected: Whether it has had a connection, and may have been sent.
    """

    limit: asyncio.Timeout
    connected: bool = False


_under_way: ContextVar[_Exchange] = ContextVar("_under_way")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Settings:
    """Everything the edge needs to know.

    Attributes:
        base_url: The API's base URL, without a slash at its end.
        key: The API key.
        policy: When requests are tried again.
        timeout: Seconds for one API request.
        stall_timeout: Seconds a storage host may keep silent.
        connector: A connector of the caller's, which is never closed here.
        proxy: The URL of a proxy for every request.
        ssl: How TLS is checked, as aiohttp takes it.
        trace_configs: aiohttp's trace configurations, for both sessions.
    """

    base_url: str
    key: Secret
    policy: RetryPolicy
    timeout: float
    stall_timeout: float
    connector: aiohttp.BaseConnector | None = None
    proxy: str | None = attrs.field(default=None, repr=False)
    ssl: ssl_module.SSLContext | aiohttp.Fingerprint | bool = True
    trace_configs: Sequence[aiohttp.TraceConfig] = ()


class Http:
    """Two sessions over one connector, opened at the first request.

    The API session sends the key with each request and follows no redirect. The storage session sends no
    credential and no cookie, asks for the bytes as they are, and hands them on as they come.
    """

    # Until it is whole, as after a copy that failed, there is nothing to close.
    _closed = True

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        # The API and its storage are two far sides: what one refuses is no matter of the other.
        self._budget = Budget(DEFAULT_LIMIT, clock, retry_after_max=settings.policy.retry_after_max)
        self._rules = AddressRules.beside(settings.base_url)
        self._connector: aiohttp.BaseConnector | None = None
        self._api: aiohttp.ClientSession | None = None
        self._storage: aiohttp.ClientSession | None = None
        self._resolver = Resolver()
        self._closed = False
        self._made_by = caller()

    @property
    def base_url(self) -> str:
        """The API's base URL."""
        return self._settings.base_url

    async def aclose(self) -> None:
        """Close the sessions, and the connector unless it is the caller's; idempotent."""
        self._closed = True
        for session in (self._api, self._storage):
            if session is not None:
                await session.close()
        if self._connector is not None and self._connector is not self._settings.connector:
            await self._connector.close()
        await self._resolver.close()

    def __del__(self) -> None:
        if self._closed or self._api is None or self._storage is None:
            return
        # Without a connector they have nothing to complain of; aiohttp's own closes itself when it is gone.
        self._api.detach()
        self._storage.detach()
        message = (
            f"AsyncPackageX(base_url={self.base_url!r}) was not closed: "
            "use it in an `async with` block, or await its aclose()"
        )
        warnings.warn_explicit(message, ResourceWarning, *self._made_by, source=self)

    async def get(self, target: str, retries: Retries | None = None) -> _wire.Answer:
        """The API's answer for `target`, a path and query.

        Args:
            target: What to ask for.
            retries: Counts the tries, for a caller that wants to know of them.

        Raises:
            ApiError: The API refused, and trying again under the policy did not help.
            ConnectionFailedError: No answer, likewise.
            DecodeError: The answer is not JSON.
        """
        return await self._settled(_wire.Request("GET", target), retries)

    async def post(self, target: str, body: bytes) -> _wire.Answer:
        """The API's answer to `body`, JSON for `target`; sent again only where it surely was not done.

        That is where there was no connection, or where it was refused with a 429.

        Raises:
            UnconfirmedError: It may have been done: the connection broke, a 5xx, or the answer is not JSON.
            ApiError: The API refused.
            ConnectionFailedError: There was no connection, and trying again under the policy did not help.
        """
        return await self._settled(_wire.Request("POST", target, body))

    async def _settled(self, request: _wire.Request, retries: Retries | None = None) -> _wire.Answer:
        retries = retries or Retries(self._settings.policy, self._clock)
        while True:
            exchange = _Exchange(asyncio.timeout(self._settings.timeout))
            try:
                async with self._budget.place():
                    answer = await self._ask_api(request, exchange)
                    _wire.check(answer, key=self._settings.key, now=self._clock.time())
                    return answer
            except (ApiError, ConnectionFailedError, DecodeError) as error:
                failure = error
            if request.may_be_done(failure, connected=exchange.connected):
                raise UnconfirmedError.after(failure) from failure
            delay = _delay(failure, retries)
            if delay is None:
                raise failure
            _log.trying_again(failure, delay)
            await self._clock.sleep(delay)

    async def fetch(self, link: Link, headers: Mapping[str, str] = _NO_HEADERS) -> StorageAnswer:
        """The storage host's answer to a GET of `link`, exactly as it is written; it has to be closed.

        Args:
            link: What to ask for.
            headers: Headers of the request; with a `Range`, an answer of 416 is handed on, too.

        Raises:
            StorageError: The address may not be fetched, redirects too often, or refuses.
            LinkExpiredError: The link is no longer valid.
            StorageUnreachableError: No connection.
            StalledError: No answer in time.
        """
        answer = await self._follow(link, headers)
        if answer.status < 300 or (answer.status == _RANGE_NOT_SATISFIABLE and "Range" in headers):
            return answer
        with closing(answer):
            raise await self._refusal(link, answer)

    async def _refusal(self, link: Link, answer: StorageAnswer) -> DownloadError:
        here = self._clock.time()
        there = _wire.http_date(answer.headers.get("Date"))
        return refusal(
            link,
            answer.status,
            await answer.beginning(_REFUSAL_SIZE),
            now=there.timestamp() if there else here,
            retry_after=_wire.retry_after(answer.headers, now=here),
        )

    async def _ask_api(self, request: _wire.Request, exchange: _Exchange) -> _wire.Answer:
        url = URL(self._settings.base_url + request.target, encoded=True)
        began = self._clock.monotonic()
        failure: BaseException
        try:
            async with exchange.limit:
                _under_way.set(exchange)
                async with self._sessions()[0].request(
                    request.method,
                    url,
                    data=request.body,
                    headers={"PX-API-KEY": self._settings.key.reveal(), **(_JSON if request.body else {})},
                    allow_redirects=False,
                    ssl=self._settings.ssl,
                    proxy=self._settings.proxy,
                ) as response:
                    body = await response.read()
                    self._answered(request.method, request.path, response.status, began)
                    return await _wire.Answer.read(str(request), response.status, response.headers, body)
        except _TRANSPORT_ERRORS as error:
            failure = _failure(str(request), error)
            self._answered(request.method, request.path, type(failure).__name__, began)
        except asyncio.CancelledError as error:
            failure = _frameless(error)
        raise failure

    def _answered(self, method: str, address: str, outcome: object, began: float) -> None:
        _log.answered(method, address, outcome, self._clock.monotonic() - began)

    async def _follow(self, link: Link, headers: Mapping[str, str]) -> StorageAnswer:
        hop = link
        for _ in range(MAX_REDIRECTS + 1):
            reason = self._rules.refusal(hop.url)
            if reason is not None:
                raise _not_fetched(link, f"its address may not be fetched: {reason}")
            answer = await self._ask_storage(hop, headers)
            onward = answer.redirect(hop)
            if onward is None:
                return answer
            answer.close()
            hop = onward
        raise _not_fetched(link, f"it redirects more than {MAX_REDIRECTS} times")

    async def _ask_storage(self, link: Link, headers: Mapping[str, str]) -> StorageAnswer:
        began = self._clock.monotonic()
        failure: BaseException
        try:
            response = await self._sessions()[1].get(
                # Storage signs the encoded text; send it verbatim.
                URL(link.url, encoded=True),
                headers=headers,
                allow_redirects=False,
                ssl=self._settings.ssl,
                proxy=self._settings.proxy,
            )
            self._answered("GET", link.url, response.status, began)
            return StorageAnswer(response, self._settings.stall_timeout, self._clock)
        except _TRANSPORT_ERRORS as error:
            failure = _unanswered(link, error)
            self._answered("GET", link.url, type(failure).__name__, began)
        except asyncio.CancelledError as error:
            failure = _frameless(error)
        raise failure

    def _sessions(self) -> tuple[aiohttp.ClientSession, aiohttp.ClientSession]:
        if self._closed:
            raise ConfigurationError("the client is closed: use it inside its `async with` block")
        if self._api is None or self._storage is None:
            _keep_read_buffers()
            self._connector = self._settings.connector or aiohttp.TCPConnector(
                resolver=cast(AbstractResolver, self._resolver)
            )
            self._api = self._session(
                timeout=aiohttp.ClientTimeout(total=None),
                headers={"User-Agent": _USER_AGENT, "Accept": "application/json"},
                trace_configs=[*self._settings.trace_configs, _watch(self._settings.timeout)],
            )
            self._storage = self._session(
                # A large artifact may take hours; only silence ends it, and a wait for a connection is none.
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=self._settings.timeout, sock_read=self._settings.stall_timeout
                ),
                headers={"User-Agent": _USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"},
                trace_configs=list(self._settings.trace_configs),
                auto_decompress=False,
                read_bufsize=_READ_SIZE,
            )
        return self._api, self._storage

    def _session(self, **options: Any) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=self._connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            requote_redirect_url=False,
            trust_env=False,
            middlewares=(_once,),
            **options,
        )


class StorageAnswer:
    """The head of a storage host's answer, and its body as it comes."""

    def __init__(self, response: aiohttp.ClientResponse, patience: float, clock: Clock) -> None:
        self._response = response
        self._patience = patience
        self._pace = Pace(patience)
        self._clock = clock
        self._body: Callable[[], Awaitable[Block]] | None = None
        self.status = response.status

    @property
    def headers(self) -> MultiMapping[str]:
        """The headers, case-insensitive."""
        return self._response.headers

    def redirect(self, link: Link) -> Link | None:
        """Where the answer to `link` sends its reader, or `None` when it is the end."""
        location = self._response.headers.get("Location")
        if self.status not in _REDIRECTS or location is None:
            return None
        return attrs.evolve(link, url=redirect_target(link.url, location))

    def close(self) -> None:
        """Let the connection go: a body that was not read to its end cannot be followed by another answer."""
        self._response.close()

    async def beginning(self, size: int) -> bytes:
        """Up to `size` bytes of a body that tells why there is no artifact."""
        body = b""
        try:
            while len(body) < size and (block := await self.read()):
                body += bytes(block)
        except ConnectionFailedError:
            # The status says enough.
            pass
        return body[:size]

    async def read(self) -> Block:
        """The body's next block, valid until the next but one is asked for; empty at its end.

        Raises:
            RequestTimeoutError: The host kept silent, or crawled, for `stall_timeout` seconds.
            ConnectionFailedError: The body broke off.
        """
        before = self._clock.monotonic()
        try:
            self._body = self._body or _body(self._response, self._patience)
            block = await self._body()
            if block and self._pace.stalled(self._clock.monotonic() - before, len(block)):
                raise TimeoutError
            return block
        except _TRANSPORT_ERRORS as error:
            failure = _failure("the storage host", error)
        raise failure


def _body(response: aiohttp.ClientResponse, patience: float) -> Callable[[], Awaitable[Block]]:
    """What reads the body block by block: a large one past aiohttp, where its length is known."""
    content, connection, length = response.content, response.connection, response.content_length
    if (
        length is None
        or length - content.total_bytes < _WORTH_A_CONNECTION
        or "Transfer-Encoding" in response.headers
        or connection is None
        or connection.protocol is None
        or connection.transport is None
    ):
        return content.readany
    first = b""
    # What aiohttp has read has to be taken before another reads on; taking some may make it hand on more.
    while block := content.read_nowait():
        first += block
    connection.protocol.pause_reading()
    size = BUFFER_SIZE if response.status == 200 else PART_BUFFER_SIZE
    return Intake(connection.transport, first, length - len(first), patience, size=size).read


def _keep_read_buffers() -> None:
    # For each read asyncio makes a buffer of 256 KiB. Until a larger block was given back, glibc maps pages
    # for it and unmaps them afterwards, which takes longer than the reading.
    bytes(2 * _READ_SIZE)


def _watch(seconds: float) -> aiohttp.TraceConfig:
    """Keeps the exchange under way: no time runs while it waits for a free connection."""
    trace = aiohttp.TraceConfig()

    async def queued(*_: Any) -> None:
        _under_way.get().limit.reschedule(None)

    async def served(*_: Any) -> None:
        _under_way.get().limit.reschedule(asyncio.get_running_loop().time() + seconds)

    async def connected(*_: Any) -> None:
        _under_way.get().connected = True

    trace.on_connection_queued_start.append(queued)
    trace.on_connection_queued_end.append(served)
    trace.on_connection_create_end.append(connected)
    trace.on_connection_reuseconn.append(connected)
    return trace


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    # aiohttp sends a GET again by itself when these are raised. Trying again is for the retry policy alone.
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(str(error)) from error


def _delay(failure: ApiError | ConnectionFailedError | DecodeError, retries: Retries) -> float | None:
    if isinstance(failure, ConnectionFailedError):
        return retries.next_delay()
    if isinstance(failure, ApiError) and failure.status in RETRYABLE_STATUSES:
        return retries.next_delay(failure.retry_after)
    return None


def _failure(what: str, error: Exception) -> ConnectionFailedError:
    # Raised outside the handler, so that what aiohttp knows (URLs, headers) does not travel along as context.
    if isinstance(error, TimeoutError):
        return RequestTimeoutError(f"{what}: no answer in time")
    return ConnectionFailedError(f"{what}: {redact(str(error)) or type(error).__name__}")


def _frameless(error: asyncio.CancelledError) -> asyncio.CancelledError:
    # The frames of aiohttp have the key and the URL among their variables, which some tracebacks show.
    return error.with_traceback(None)


def _unanswered(link: Link, error: Exception) -> DownloadError:
    kind = StalledError if isinstance(error, TimeoutError) else StorageUnreachableError
    return kind(str(_failure("the storage host", error)), export_id=link.export_id, artifact=link.artifact)


def _not_fetched(link: Link, reason: str) -> StorageError:
    return StorageError(reason, export_id=link.export_id, artifact=link.artifact)
