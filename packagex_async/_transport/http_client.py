"""The edge to the network: two sessions over one connector, JSON under the retry policy, byte streams."""

from __future__ import annotations

import asyncio
import codecs
import ssl as ssl_module
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from types import MappingProxyType
from typing import Any, cast

import aiohttp
import attrs
from aiohttp.abc import AbstractResolver
from multidict import MultiMapping
from yarl import URL

from packagex_async import _logs
from packagex_async._api import requests, responses
from packagex_async._concurrency.limiter import DEFAULT_LIMIT, Budget
from packagex_async._concurrency.open_streams import OpenStreams
from packagex_async._concurrency.operations import Operations
from packagex_async._storage.storage_errors import Link, refusal
from packagex_async._transport.body_reader import BUFFER_SIZE, PART_BUFFER_SIZE, Intake
from packagex_async._transport.connection_errors import classify
from packagex_async._transport.connector import CheckedConnector, capacity
from packagex_async._transport.request_deadline import Phase, RequestDeadline
from packagex_async._transport.resolver import Resolver
from packagex_async._transport.stall_detector import Pace
from packagex_async._transport.url_policy import AddressRules, UrlRefusedError, is_loopback, redirect_target
from packagex_async._utils.byte_ranges import Block
from packagex_async._utils.call_site import caller
from packagex_async._utils.redaction import Secret
from packagex_async._version import __version__
from packagex_async.errors import (
    ApiError,
    ClientClosedError,
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

MAX_API_BODY = 64 * 1024 * 1024
"""Bytes of a response of the API, decoded."""

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_READ_SIZE = 256 * 1024
_REFUSAL_SIZE = 4096
_HEAD_LINE_SIZE = 64 * 1024
"""Bytes of a status line, or of one header."""
_YIELD_SIZE = 1024 * 1024
"""Bytes of an API body that are decompressed before the event loop runs something else."""
_WORTH_A_CONNECTION = 16 * 1024 * 1024
"""Bytes of a body from which it does not matter that its connection cannot be used again."""
_RANGE_NOT_SATISFIABLE = 416
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_JSON = {"Content-Type": "application/json"}
_TRANSPORT_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)
_USER_AGENT = f"packagex-async/{__version__}"


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
    proxy: URL | None = attrs.field(default=None, repr=False)
    ssl: ssl_module.SSLContext | aiohttp.Fingerprint | bool = True
    trace_configs: Sequence[aiohttp.TraceConfig] = ()


class Http:
    """A session for the API and a session for storage, opened at the first request.

    The API session sends the key with each request and follows no redirect. The storage session sends no
    credential and no cookie, asks for the bytes as they are, and hands them on as they come. Each has
    connections of its own, so that API requests never wait for artifacts; only a connector of the caller's
    serves both.

    Args:
        settings: What the client was made with.
        clock: What tells the time.
        operations: The running operations of the client.

    Attributes:
        streams: The open streams, each of which holds a connection.
    """

    # Until it is whole, as after a copy that failed, there is nothing to close.
    _closed = True

    def __init__(self, settings: Settings, clock: Clock, operations: Operations) -> None:
        self.streams = OpenStreams()
        self._settings = settings
        self._clock = clock
        self._operations = operations
        # The API and its storage are two far sides: what one refuses is no matter of the other.
        self._budget = Budget(DEFAULT_LIMIT, clock, retry_after_max=settings.policy.retry_after_max)
        self._rules = AddressRules.beside(settings.base_url)
        # With a proxy, the proxy looks up all names but its own.
        self._resolver = Resolver(None if self._rules.loopback or settings.proxy else is_loopback)
        self._own_connectors: list[aiohttp.BaseConnector] = []
        self._sessions: tuple[aiohttp.ClientSession, aiohttp.ClientSession] | None = None
        self._answers: set[StorageAnswer] = set()
        # Its import takes a file descriptor, and there may be none left at the first request.
        codecs.lookup("idna")
        self._closed = False
        self._made_by = caller()

    @property
    def base_url(self) -> str:
        """The API's base URL."""
        return self._settings.base_url

    async def aclose(self) -> None:
        """Close the sessions, and the connectors unless they are the caller's; idempotent."""
        self._closed = True
        for answer in tuple(self._answers):
            answer.close()
        for session in self._sessions or ():
            await session.close()
        for connector in self._own_connectors:
            await connector.close()
        await self._resolver.close()

    def abandon(self) -> None:
        """Let the sessions go and close no connection: their event loop is closed, or is the parent's."""
        self._closed = True
        for session in self._sessions or ():
            session.detach()
        for connector in self._own_connectors:
            # Its destructor would take the parent's sockets out of the selector that both processes share.
            connector._closed = True  # pyright: ignore[reportPrivateUsage]

    def __del__(self) -> None:
        if self._closed or self._sessions is None:
            return
        # Without a connector they have nothing to complain of; aiohttp's own closes itself when it is gone.
        for session in self._sessions:
            session.detach()
        message = (
            f"AsyncPackageX(base_url={self.base_url!r}) was not closed: "
            "use it in an `async with` block, or await its aclose()"
        )
        warnings.warn_explicit(message, ResourceWarning, *self._made_by, source=self)

    async def get(self, target: str, retries: Retries | None = None) -> responses.Answer:
        """The API's answer for `target`, a path and query.

        Args:
            target: What to ask for.
            retries: Counts the tries, for a caller that wants to know of them.

        Raises:
            ApiError: The API refused, and trying again under the policy did not help.
            ConnectionFailedError: No answer, likewise.
            DecodeError: The answer is not JSON.
        """
        return await self._settled(requests.Request("GET", target), retries)

    async def post(self, target: str, body: bytes) -> responses.Answer:
        """The API's answer to `body`, JSON for `target`; sent again only where it surely was not done.

        That is where there was no connection, or where it was refused with a 429.

        Raises:
            UnconfirmedError: It may have been done: the connection broke, a 5xx, or the answer is not JSON.
            ApiError: The API refused.
            ConnectionFailedError: There was no connection, and trying again under the policy did not help.
        """
        return await self._settled(requests.Request("POST", target, body))

    async def _settled(self, request: requests.Request, retries: Retries | None = None) -> responses.Answer:
        retries = retries or Retries(self._settings.policy, self._clock)
        while True:
            deadline = RequestDeadline(self._settings.timeout, None, self._is_blocked)
            try:
                async with self._budget.place():
                    answer = await self._ask_api(request, deadline)
                    responses.check(answer, key=self._settings.key, now=self._clock.time())
                    return answer
            except (ApiError, ConnectionFailedError, DecodeError) as error:
                failure = error
            except asyncio.CancelledError:
                closed = ClientClosedError(f"{request}: the client was closed before there was a response")
                if not self._operations.is_interrupted() or not request.may_be_done(
                    closed, connected=deadline.connected
                ):
                    raise
                raise UnconfirmedError.after(closed) from closed
            if request.may_be_done(failure, connected=deadline.connected):
                raise UnconfirmedError.after(failure) from failure
            delay = _delay(failure, retries)
            if delay is None:
                raise failure
            _logs.trying_again(failure, delay)
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
        there = responses.http_date(answer.headers.get("Date"))
        return refusal(
            link,
            answer.status,
            await answer.beginning(_REFUSAL_SIZE),
            now=there.timestamp() if there else here,
            retry_after=responses.retry_after(answer.headers, now=here),
        )

    async def _ask_api(self, request: requests.Request, deadline: RequestDeadline) -> responses.Answer:
        url = URL(self._settings.base_url + request.target, encoded=True)
        began = self._clock.monotonic()
        failure: BaseException
        try:
            with deadline:
                async with self._open()[0].request(
                    request.method,
                    url,
                    data=request.body,
                    headers={"PX-API-KEY": self._settings.key.reveal(), **(_JSON if request.body else {})},
                    allow_redirects=False,
                    ssl=self._settings.ssl,
                    proxy=self._settings.proxy,
                ) as response:
                    body = await _read_body(response)
            self._answered(request.method, request.path, response.status, began)
            if body is not None or response.status >= 300:
                return await responses.Answer.read(
                    str(request), response.status, response.headers, body or b""
                )
            failure = DecodeError(f"{request}: the response has more than {MAX_API_BODY} bytes")
        except _TRANSPORT_ERRORS as error:
            failure = _failure(str(request), error, deadline)
            self._answered(request.method, request.path, type(failure).__name__, began)
        except asyncio.CancelledError as error:
            failure = _frameless(error)
        raise failure

    def _answered(self, method: str, address: str, outcome: object, began: float) -> None:
        _logs.answered(method, address, outcome, self._clock.monotonic() - began)

    async def _follow(self, link: Link, headers: Mapping[str, str]) -> StorageAnswer:
        hop = link
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._ask_storage(hop, headers)
            onward = answer.redirect(hop)
            if onward is None:
                return answer
            answer.close()
            hop = onward
        raise _not_fetched(link, f"it redirects more than {MAX_REDIRECTS} times")

    async def _ask_storage(self, link: Link, headers: Mapping[str, str]) -> StorageAnswer:
        began = self._clock.monotonic()
        deadline = RequestDeadline(self._settings.timeout, self._settings.stall_timeout, self._is_blocked)
        failure: BaseException
        try:
            with deadline:
                response = await self._open()[1].get(
                    # No variable holds it: some tracebacks show what variables hold.
                    self._rules.permit(link.url),
                    headers=headers,
                    allow_redirects=False,
                    ssl=self._settings.ssl,
                    proxy=self._settings.proxy,
                )
            self._answered("GET", link.url, response.status, began)
            answer = StorageAnswer(
                response, self._settings.stall_timeout, self._clock, on_close=self._answers.discard
            )
            self._answers.add(answer)
            return answer
        except UrlRefusedError as error:
            failure = _not_fetched(link, f"its address may not be fetched: {error}")
        except _TRANSPORT_ERRORS as error:
            failure = _unanswered(link, _failure("the storage host", error, deadline), deadline)
            self._answered("GET", link.url, type(failure).__name__, began)
        except asyncio.CancelledError as error:
            failure = _frameless(error)
        raise failure

    def _is_blocked(self) -> bool:
        """Whether streams whose consumers do not read hold all connections of the pool."""
        pool = self._settings.connector or self._own_connectors[1]
        most = capacity(pool)
        return most is not None and self.streams.count_idle(self._settings.timeout) >= most

    def _open(self) -> tuple[aiohttp.ClientSession, aiohttp.ClientSession]:
        if self._sessions is None:
            _keep_read_buffers()
            api = self._session(
                headers={"User-Agent": _USER_AGENT, "Accept": "application/json"},
            )
            storage = self._session(
                headers={"User-Agent": _USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"},
                auto_decompress=False,
                read_bufsize=_READ_SIZE,
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
            middlewares=(_once,),
            trace_configs=list(self._settings.trace_configs),
            # A large artifact may take hours. `RequestDeadline` and `StorageAnswer` limit the rest.
            timeout=aiohttp.ClientTimeout(total=None),
            max_line_size=_HEAD_LINE_SIZE,
            max_field_size=_HEAD_LINE_SIZE,
            **options,
        )

    def _own_connector(self) -> aiohttp.BaseConnector:
        connector = aiohttp.TCPConnector(resolver=cast(AbstractResolver, self._resolver))
        self._own_connectors.append(connector)
        return connector


class StorageAnswer:
    """The head of a storage host's answer, and its body as it comes."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        patience: float,
        clock: Clock,
        on_close: Callable[[StorageAnswer], object],
    ) -> None:
        self._response = response
        self._patience = patience
        self._pace = Pace(patience)
        self._clock = clock
        self._on_close = on_close
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
        self._on_close(self)

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

        Only the time within this call counts. Only bytes of the body are progress, not what frames them.

        Raises:
            RequestTimeoutError: No byte of the body came for `stall_timeout` seconds, or too few came.
            ConnectionFailedError: The body broke off.
        """
        before = self._clock.monotonic()
        try:
            self._body = self._body or _body(self._response, self._patience)
            block = await self._body()
            if block and self._pace.stalled(self._clock.monotonic() - before, len(block)):
                raise TimeoutError
            return block
        except TimeoutError:
            text = f"the storage host: no more bytes within {self._patience:g} seconds, or too few"
            failure: ConnectionFailedError = RequestTimeoutError(text)
        except _TRANSPORT_ERRORS as error:
            failure = ConnectionFailedError(f"the storage host: {classify(error).text}")
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
        return partial(_read_any, response, patience)
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


async def _read_any(response: aiohttp.ClientResponse, patience: float | None) -> bytes:
    """Read what is there, or wait for something; what only frames the body is nothing."""
    content = response.content
    block = content.read_nowait(-1)
    if block or content.at_eof():
        return block
    handler = response.connection.protocol if response.connection else None
    if handler is None or not handler.connected or (closed := handler.closed) is None:
        raise ConnectionResetError("the connection was closed")

    def fail(closed: asyncio.Future[None]) -> None:
        closed.exception()
        # aiohttp forgets its reader when the body is malformed, or when the caller closes the connector.
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError())

    closed.add_done_callback(fail)
    try:
        async with asyncio.timeout(patience):
            return await content.readany()
    finally:
        closed.remove_done_callback(fail)


async def _read_body(response: aiohttp.ClientResponse) -> bytes | None:
    """Read the body of an API response; return `None` when it is too large."""
    body = bytearray()
    yielded = 0
    while block := await _read_any(response, None):
        body += block
        if len(body) > MAX_API_BODY:
            return None
        if len(body) - yielded > _YIELD_SIZE:
            # A compressed body is decompressed as it is read, without a wait.
            yielded = len(body)
            await asyncio.sleep(0)
    return bytes(body)


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    # aiohttp sends a GET again by itself when these are raised. Trying again is for the retry policy alone.
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError from error


def _delay(failure: ApiError | ConnectionFailedError | DecodeError, retries: Retries) -> float | None:
    if isinstance(failure, ConnectionFailedError) and failure.retryable:
        return retries.next_delay()
    if isinstance(failure, ApiError) and failure.status in RETRYABLE_STATUSES:
        return retries.next_delay(failure.retry_after)
    return None


def _failure(what: str, error: Exception, deadline: RequestDeadline) -> ConnectionFailedError:
    # Raised outside the handler, so that what aiohttp knows (URLs, headers) does not travel along as context.
    if isinstance(error, TimeoutError):
        return _timed_out(what, deadline)
    failure = classify(error)
    failed = ConnectionFailedError(f"{what}: {failure.text}")
    failed.retryable = failure.retryable
    return failed


def _timed_out(what: str, deadline: RequestDeadline) -> ConnectionFailedError:
    within = f"within {deadline.seconds:g} seconds"
    if deadline.connected:
        return RequestTimeoutError(f"{what}: no answer in time ({within})")
    if deadline.phase is Phase.CONNECTING:
        return RequestTimeoutError(f"{what}: no connection {within}, with name lookup, proxy and TLS")
    failed = ConnectionFailedError(
        f"{what}: no connection became free {within}: open streams that nobody reads hold all; "
        "read or close a stream, or give the connector a higher limit"
    )
    failed.retryable = False
    return failed


def _frameless(error: asyncio.CancelledError) -> asyncio.CancelledError:
    # The frames of aiohttp have the key and the URL among their variables, which some tracebacks show.
    return error.with_traceback(None)


def _unanswered(link: Link, failure: ConnectionFailedError, deadline: RequestDeadline) -> DownloadError:
    if isinstance(failure, RequestTimeoutError) and deadline.connected:
        return StalledError(str(failure), export_id=link.export_id, artifact=link.artifact)
    error = StorageUnreachableError(str(failure), export_id=link.export_id, artifact=link.artifact)
    error.retryable = failure.retryable
    return error


def _not_fetched(link: Link, reason: str) -> StorageError:
    return StorageError(reason, export_id=link.export_id, artifact=link.artifact)
