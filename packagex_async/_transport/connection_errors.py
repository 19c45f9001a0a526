"""Errors of connections. Messages of aiohttp are not used: they may contain URLs, headers and responses."""

from __future__ import annotations

import asyncio
import errno
import http
import os
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

import aiohttp
from aiohttp import http_exceptions

from packagex_async._transport.connector import ConnectorError
from packagex_async._transport.request_deadline import Phase, RequestDeadline
from packagex_async._transport.resolver import LoopbackError, NoThreadError
from packagex_async._utils.redaction import sanitize
from packagex_async.errors import ConnectionFailedError, RequestTimeoutError
from packagex_async.retry import RETRYABLE_STATUSES

TRANSPORT_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)
"""Exceptions of aiohttp for a failed request."""

_CERTIFICATE_REASONS = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed",
    19: "its issuer is unknown: the chain ends in a self-signed certificate",
    20: "its issuer is unknown",
    21: "its issuer is unknown: the server sent no intermediate certificate",
    23: "it was revoked",
    62: "it is for another host",
    64: "it is for another IP address",
}
"""Reasons for common verification errors of OpenSSL."""

_SYSTEM_REASONS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
    errno.ECONNABORTED: "connection aborted",
    errno.ETIMEDOUT: "connection timed out",
    errno.EHOSTUNREACH: "host unreachable",
    errno.ENETUNREACH: "network unreachable",
    errno.EMFILE: "this process has too many open files",
    errno.ENFILE: "this machine has too many open files",
}
_HOST_LIMIT = 100


class TransportFailure(NamedTuple):
    """The reason why a request failed.

    Attributes:
        text: The reason. It contains no URL and nothing from the response.
        retryable: Whether another attempt may succeed.
    """

    text: str
    retryable: bool = True


def connection_error(request: str, error: Exception, deadline: RequestDeadline) -> ConnectionFailedError:
    """Return the error for a request without a response.

    Raise it outside of the `except` block. Otherwise, the exception of aiohttp, which contains URLs and
    headers, is its context.

    Args:
        request: The request, or its recipient, for the message.
        error: One of `TRANSPORT_ERRORS`.
        deadline: The deadline of the request.
    """
    if isinstance(error, TimeoutError):
        return _timeout_error(request, deadline)
    failure = classify(error)
    failed = ConnectionFailedError(f"{request}: {failure.text}")
    failed.retryable = failure.retryable
    return failed


def without_frames(error: asyncio.CancelledError) -> asyncio.CancelledError:
    """Return `error` without its traceback, whose frames contain the key and the URL."""
    return error.with_traceback(None)


def classify(error: Exception) -> TransportFailure:
    """Return the reason for an exception of aiohttp, asyncio or the operating system."""
    match error:
        case ConnectorError():
            return TransportFailure(str(error), retryable=False)
        case aiohttp.ServerFingerprintMismatch():
            return _rejected_certificate(f"{error.host}:{error.port}", "its fingerprint does not match")
        case aiohttp.ClientConnectorCertificateError():
            return _rejected_certificate(_address(error), _certificate_reason(error.certificate_error))
        case aiohttp.ClientConnectorDNSError():
            return _failed_resolution(error)
        case aiohttp.ClientProxyConnectionError():
            return TransportFailure(f"could not connect to the proxy: {_system_reason(error.os_error)}")
        case aiohttp.ClientConnectorSSLError():
            return _failed_handshake(error)
        case aiohttp.ClientConnectorError():
            return TransportFailure(
                f"could not connect to {_address(error)}: {_system_reason(error.os_error)}"
            )
        case aiohttp.ClientHttpProxyError():
            return _proxy_refusal(error.status)
        case aiohttp.ClientResponseError():
            return TransportFailure(_malformed_response(error))
        case aiohttp.ClientPayloadError():
            return TransportFailure(_broken_body(error))
        case aiohttp.ServerDisconnectedError():
            return TransportFailure("the server closed the connection before the response")
        case OSError() if tls_error := _tls_error(error):
            return _failed_tls(tls_error, "TLS failed on an open connection")
        case OSError():
            return TransportFailure(_system_reason(error))
        case _:
            return TransportFailure("the connection was closed")


def _timeout_error(request: str, deadline: RequestDeadline) -> ConnectionFailedError:
    limit = f"within {deadline.seconds:g} seconds"
    if deadline.connected:
        return RequestTimeoutError(f"{request}: no response {limit}")
    if deadline.phase is Phase.CONNECTING:
        return RequestTimeoutError(
            f"{request}: no connection {limit}, including name resolution, proxy and TLS"
        )
    failed = ConnectionFailedError(
        f"{request}: no connection became free {limit}: open streams that are not read occupy all of them; "
        "read or close a stream, or use a connector with a higher limit"
    )
    failed.retryable = False
    return failed


def _address(error: aiohttp.ClientConnectorError) -> str:
    return f"{sanitize(error.host, limit=_HOST_LIMIT)}:{error.port}"


def _rejected_certificate(address: str, reason: str) -> TransportFailure:
    text = f"the TLS certificate of {address} was rejected: {reason}"
    return TransportFailure(text, retryable=False)


def _certificate_reason(error: Exception) -> str:
    code = getattr(error, "verify_code", None)
    if not code:
        return "it is malformed"
    return _CERTIFICATE_REASONS.get(code, f"OpenSSL reports verification error {code}")


def _failed_resolution(error: aiohttp.ClientConnectorDNSError) -> TransportFailure:
    host, cause = sanitize(error.host, limit=_HOST_LIMIT), error.os_error
    if isinstance(cause, LoopbackError):
        text = f"the name {host} resolves to an address of this machine, which is allowed only if "
        return TransportFailure(f"{text}base_url is on this machine, too", retryable=False)
    if isinstance(cause, NoThreadError):
        return TransportFailure(f"the name {host} could not be resolved: no thread could be started")
    if cause.errno == socket.EAI_AGAIN:
        return TransportFailure(f"the name {host} could not be resolved: the name server did not respond")
    return TransportFailure(f"the name {host} could not be resolved")


def _failed_handshake(error: aiohttp.ClientConnectorSSLError) -> TransportFailure:
    failure = _failed_tls(
        error.os_error, "the TLS handshake failed; check that the server speaks TLS on this port"
    )
    return failure._replace(text=f"could not connect to {_address(error)}: {failure.text}")


def _failed_tls(error: OSError, otherwise: str) -> TransportFailure:
    reason = getattr(error, "reason", None) or ""
    if "CERTIFICATE" in reason or reason.endswith("UNKNOWN_CA"):
        return TransportFailure("the server rejected the TLS certificate of this client", retryable=False)
    return TransportFailure(otherwise)


def _tls_error(error: OSError) -> ssl.SSLError | None:
    return next((cause for cause in (error, *_causes(error)) if isinstance(cause, ssl.SSLError)), None)


def _proxy_refusal(status: int) -> TransportFailure:
    hint = ": check the user and the password in its URL" if status == 407 else ""
    return TransportFailure(
        f"the proxy refused to connect, with status {status}{_reason_phrase(status)}{hint}",
        retryable=status in RETRYABLE_STATUSES,
    )


def _reason_phrase(status: int) -> str:
    try:
        return f" ({http.HTTPStatus(status).phrase})"
    except ValueError:
        return ""


def _malformed_response(error: aiohttp.ClientResponseError) -> str:
    causes = list(_causes(error))
    if any(isinstance(cause, http_exceptions.LineTooLong) for cause in causes):
        return "a line of the response head is too large"
    if any(isinstance(cause, http_exceptions.BadStatusLine) for cause in causes):
        return "the response is not HTTP: its status line is malformed"
    return "the response is malformed"


def _broken_body(error: aiohttp.ClientPayloadError) -> str:
    causes = list(_causes(error))
    if any(isinstance(cause, http_exceptions.ContentEncodingError) for cause in causes):
        return "the response body cannot be decompressed"
    return "the connection was closed within the response body, or the body is malformed"


def _system_reason(error: OSError) -> str:
    number = error.errno
    if number is None:
        return "the connection was closed" if isinstance(error, ConnectionError) else "the connection failed"
    return _SYSTEM_REASONS.get(number) or os.strerror(number)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__
    while cause is not None:
        yield cause
        cause = cause.__cause__
