"""Requests to storage hosts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import closing
from types import MappingProxyType
from typing import TYPE_CHECKING

from packagex_async import _logs
from packagex_async._api.responses import parse_retry_after
from packagex_async._concurrency.tuning import shared_tuning
from packagex_async._storage.storage_errors import status_error
from packagex_async._transport.connection_errors import TRANSPORT_ERRORS, connection_error, without_frames
from packagex_async._transport.request_deadline import RequestDeadline
from packagex_async._transport.sessions import Sessions, TransportSettings
from packagex_async._transport.storage_response import StorageResponse
from packagex_async._transport.url_policy import UrlRefusedError
from packagex_async._utils.http_headers import parse_http_date
from packagex_async.errors import (
    ConnectionFailedError,
    DownloadError,
    RequestTimeoutError,
    StalledError,
    StorageError,
    StorageUnreachableError,
)
from packagex_async.retry import Clock

if TYPE_CHECKING:
    from packagex_async._concurrency.bandwidth import BandwidthLimiter
    from packagex_async._storage.download_url import DownloadUrl

MAX_REDIRECTS = 5

_ERROR_BODY_SIZE = 4096
_RANGE_NOT_SATISFIABLE = 416
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class StorageClient:
    """Sends requests to storage hosts: no credentials, no cookies, and each URL exactly as the API gave it.

    Args:
        sessions: The sessions of the client.
        settings: The settings of the client.
        clock: The source of time.
    """

    def __init__(self, sessions: Sessions, settings: TransportSettings, clock: Clock) -> None:
        self._sessions = sessions
        self._settings = settings
        self._clock = clock
        self._responses: set[StorageResponse] = set()
        counts = range(settings.tuning.max_piped_bodies + 1)
        self._tunings = [shared_tuning(settings.tuning, others=count) for count in counts]
        self._bandwidth = _bandwidth_limiter(settings.bandwidth_limit, clock)

    def close(self) -> None:
        """Close all open responses. Idempotent."""
        for response in tuple(self._responses):
            response.close()

    async def get(self, url: DownloadUrl, headers: Mapping[str, str] = _NO_HEADERS) -> StorageResponse:
        """Send a GET, follow redirects, and return the response. The caller must close it.

        Args:
            url: The download URL.
            headers: Headers of the request. With a `Range`, a response with status 416 is returned, too.

        Raises:
            StorageError: The URL is not allowed, there were too many redirects, or the host refused.
            LinkExpiredError: The URL has expired.
            StorageUnreachableError: There was no connection.
            StalledError: There was no response in time.
        """
        current_url = url
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._send(current_url, headers)
            target = response.redirect_url(current_url)
            if target is None:
                return await self._check_status(url, response, headers)
            response.close()
            current_url = target
        raise _not_requested(url, f"it redirects more than {MAX_REDIRECTS} times")

    async def _check_status(
        self, url: DownloadUrl, response: StorageResponse, headers: Mapping[str, str]
    ) -> StorageResponse:
        if response.status < 300 or (response.status == _RANGE_NOT_SATISFIABLE and "Range" in headers):
            return response
        with closing(response):
            raise await self._status_error(url, response)

    async def _status_error(self, url: DownloadUrl, response: StorageResponse) -> DownloadError:
        now = self._clock.time()
        server_date = parse_http_date(response.headers.get("Date"))
        return status_error(
            url,
            response.status,
            await response.read_start(_ERROR_BODY_SIZE),
            now=server_date.timestamp() if server_date else now,
            retry_after=parse_retry_after(response.headers, now=now),
        )

    async def _send(self, url: DownloadUrl, headers: Mapping[str, str]) -> StorageResponse:
        started_at = self._clock.monotonic()
        deadline = RequestDeadline(
            self._settings.timeout, self._settings.stall_timeout, self._sessions.is_blocked
        )
        failure: BaseException
        try:
            with deadline:
                response = await self._sessions.storage.get(
                    # Not in a variable, because some tracebacks show the values of variables.
                    self._sessions.url_policy.check(url.url),
                    headers=headers,
                    allow_redirects=False,
                    ssl=self._settings.ssl,
                    proxy=self._settings.proxy,
                )
            self._log(url, response.status, started_at)
            storage_response = StorageResponse(
                response,
                self._settings.stall_timeout,
                self._clock,
                self._tunings[min(len(self._responses), len(self._tunings) - 1)],
                on_close=self._responses.discard,
                bandwidth=self._bandwidth,
            )
            self._responses.add(storage_response)
            return storage_response
        except UrlRefusedError as error:
            failure = _not_requested(url, f"the URL is not allowed: {error}")
        except TRANSPORT_ERRORS as error:
            failure = _no_response(url, connection_error("the storage host", error, deadline), deadline)
            self._log(url, type(failure).__name__, started_at)
        except asyncio.CancelledError as error:
            failure = without_frames(error)
        raise failure

    def _log(self, url: DownloadUrl, outcome: object, started_at: float) -> None:
        _logs.request_done("GET", url.url, outcome, self._clock.monotonic() - started_at)


def _no_response(
    url: DownloadUrl, failure: ConnectionFailedError, deadline: RequestDeadline
) -> DownloadError:
    if isinstance(failure, RequestTimeoutError) and deadline.connected:
        return StalledError(str(failure), export_id=url.export_id, artifact=url.artifact)
    error = StorageUnreachableError(str(failure), export_id=url.export_id, artifact=url.artifact)
    error.retryable = failure.retryable
    return error


def _not_requested(url: DownloadUrl, reason: str) -> StorageError:
    return StorageError(reason, export_id=url.export_id, artifact=url.artifact)


def _bandwidth_limiter(limit: float | None, clock: Clock) -> BandwidthLimiter | None:
    if limit is None:
        return None
    # Few clients need the module.
    from packagex_async._concurrency.bandwidth import BandwidthLimiter

    return BandwidthLimiter(limit, clock)
