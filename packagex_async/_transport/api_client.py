"""Requests to the API, with retries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
from yarl import URL

from packagex_async import _logs
from packagex_async._api import responses
from packagex_async._api.requests import Request
from packagex_async._api.responses import ApiResponse
from packagex_async._concurrency.limiter import DEFAULT_LIMIT, AdaptiveLimiter
from packagex_async._concurrency.operations import Operations
from packagex_async._transport.connection_errors import TRANSPORT_ERRORS, connection_error, without_frames
from packagex_async._transport.request_deadline import RequestDeadline
from packagex_async._transport.sessions import Sessions, TransportSettings
from packagex_async._transport.storage_response import read_block
from packagex_async.errors import (
    ApiError,
    ClientClosedError,
    ConnectionFailedError,
    DecodeError,
    PackageXError,
    UnconfirmedError,
)
from packagex_async.retry import Clock, Retries

MAX_BODY_SIZE = 64 * 1024 * 1024
"""Maximum bytes of a response of the API after decompression."""

_YIELD_SIZE = 1024 * 1024
"""Bytes of a body that are decompressed before other tasks run."""

OnRetry = Callable[[PackageXError, float], object]

_JSON = {"Content-Type": "application/json"}


class ApiClient:
    """Sends requests to the API. Each request contains the key; redirects are not followed.

    Args:
        sessions: The sessions of the client.
        settings: The settings of the client.
        clock: The source of time.
        operations: The running operations of the client.

    Attributes:
        limiter: Limits concurrent requests. The API and storage are rate-limited independently.
    """

    def __init__(
        self, sessions: Sessions, settings: TransportSettings, clock: Clock, operations: Operations
    ) -> None:
        self._sessions = sessions
        self._settings = settings
        self._clock = clock
        self._operations = operations
        self.limiter: AdaptiveLimiter = AdaptiveLimiter(
            DEFAULT_LIMIT, clock, retry_after_max=settings.policy.retry_after_max
        )

    async def get(
        self,
        target: str,
        retries: Retries | None = None,
        *,
        on_retry: OnRetry = _logs.request_retried,
    ) -> ApiResponse:
        """Send a GET and return the response.

        Args:
            target: The path and query.
            retries: The retry state, if the caller needs the number of failures.
            on_retry: Called with a failure that will be retried, and the seconds until then.

        Raises:
            ApiError: The API refused the request, after all retries.
            ConnectionFailedError: There was no response, after all retries.
            DecodeError: The response is not JSON, or is too large.
        """
        return await self._request(Request("GET", target), retries, on_retry)

    async def post(self, target: str, body: bytes) -> ApiResponse:
        """Send a POST with a JSON body and return the response.

        The request is repeated only if it certainly had no effect: there was no connection, or the API
        refused it with a 429.

        Args:
            target: The path and query.
            body: The JSON body.

        Raises:
            UnconfirmedError: The request may have had an effect: the connection was closed, the API answered
                with a 408 or a 5xx, or the response is not JSON.
            ApiError: The API refused the request.
            ConnectionFailedError: There was no connection, after all retries.
        """
        return await self._request(Request("POST", target, body), None, _logs.request_retried)

    async def _request(self, request: Request, retries: Retries | None, on_retry: OnRetry) -> ApiResponse:
        retries = retries or Retries(self._settings.policy, self._clock)
        while True:
            deadline = RequestDeadline(self._settings.timeout, None, self._sessions.is_blocked)
            try:
                async with self.limiter.slot():
                    response = await self._send(request, deadline)
                    responses.raise_for_status(response, key=self._settings.key, now=self._clock.time())
                    return response
            except (ApiError, ConnectionFailedError, DecodeError) as error:
                failure = error
            except asyncio.CancelledError:
                closed_error = ClientClosedError(f"{request}: the client was closed before the response")
                if not self._operations.is_interrupted() or not request.may_have_succeeded(
                    closed_error, connected=deadline.connected
                ):
                    raise
                raise UnconfirmedError.after(closed_error) from closed_error
            if request.may_have_succeeded(failure, connected=deadline.connected):
                raise UnconfirmedError.after(failure) from failure
            delay = retries.delay_after(failure)
            if delay is None:
                raise failure
            on_retry(failure, delay)
            await self._clock.sleep(delay)

    async def _send(self, request: Request, deadline: RequestDeadline) -> ApiResponse:
        url = URL(self._settings.base_url + request.target, encoded=True)
        started_at = self._clock.monotonic()
        failure: BaseException
        try:
            with deadline:
                async with self._sessions.api.request(
                    request.method,
                    url,
                    data=request.body,
                    headers={"PX-API-KEY": self._settings.key.reveal(), **(_JSON if request.body else {})},
                    allow_redirects=False,
                    ssl=self._settings.ssl,
                    proxy=self._settings.proxy,
                ) as response:
                    body = await _read_body(response)
            self._log(request, response.status, started_at)
            if body is not None or response.status >= 300:
                return await ApiResponse.decode_in_slices(
                    str(request), response.status, response.headers, body or b""
                )
            failure = DecodeError(f"{request}: the response has more than {MAX_BODY_SIZE} bytes")
        except TRANSPORT_ERRORS as error:
            failure = connection_error(str(request), error, deadline)
            self._log(request, type(failure).__name__, started_at)
        except asyncio.CancelledError as error:
            failure = without_frames(error)
        raise failure

    def _log(self, request: Request, outcome: object, started_at: float) -> None:
        _logs.request_done(request.method, request.path, outcome, self._clock.monotonic() - started_at)


async def _read_body(response: aiohttp.ClientResponse) -> bytes | None:
    """Read the body of a response; return `None` if it is too large."""
    body = bytearray()
    yielded = 0
    while block := await read_block(response, None):
        body += block
        if len(body) > MAX_BODY_SIZE:
            return None
        if len(body) - yielded > _YIELD_SIZE:
            # Decompression happens in `read_block`, which may not suspend for many blocks.
            yielded = len(body)
            await asyncio.sleep(0)
    return bytes(body)
