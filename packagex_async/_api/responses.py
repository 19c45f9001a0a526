"""Responses of the API: decoding, error statuses, and the envelopes of exports and pages."""

from __future__ import annotations

import http
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from packagex_async import errors
from packagex_async._api.converters import LazyPage, export_from_json, pagination_from_json
from packagex_async._api.json_slices import LARGE, MAX_ITEMS, MAX_TEXT, TooLargeError, loads_in_slices
from packagex_async._utils import json
from packagex_async._utils.aio import run_in_slices
from packagex_async._utils.http_headers import parse_http_date
from packagex_async._utils.redaction import Secret, redact_json, sanitize, strip_traceback
from packagex_async.errors import ApiError, DecodeError
from packagex_async.models import Export

if TYPE_CHECKING:
    from multidict import MultiMapping

_TEXT_LIMIT = 1000
"""Maximum characters of a text from a response in an error."""

NOT_JSON = object()
"""The payload of a response whose body is not JSON."""

TOO_LARGE = object()
"""The payload of a response whose body exceeds the limits of `json_slices`."""

MAX_RETRY_AFTER = 1e9
"""Maximum seconds of a `Retry-After`, about 30 years. A larger value is reduced to it."""

_MAX_ERRORS = 100
"""Maximum failed properties in the `errors` of an error."""

_ERROR_CLASSES: dict[int, type[ApiError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    410: errors.NotFoundError,
    422: errors.BadRequestError,
    429: errors.RateLimitError,
}


def _decode(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return NOT_JSON


async def _decode_in_slices(body: bytes) -> Any:
    try:
        return await run_in_slices(loads_in_slices(body))
    except TooLargeError:
        return TOO_LARGE
    except (ValueError, RecursionError):
        return NOT_JSON


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ApiResponse:
    """A response of the API.

    Attributes:
        request: The method and path of the request.
        status: The HTTP status.
        headers: The headers, case-insensitive.
        payload: The decoded JSON body, independent of the content type; or `NOT_JSON`, or `TOO_LARGE`.
    """

    request: str
    status: int
    headers: MultiMapping[str] = attrs.field(repr=False)
    payload: Any = attrs.field(repr=False)

    @classmethod
    def decode(cls, request: str, status: int, headers: MultiMapping[str], body: bytes) -> ApiResponse:
        """Decode the body of a response."""
        return cls(request=request, status=status, headers=headers, payload=_decode(body))

    @classmethod
    async def decode_in_slices(
        cls, request: str, status: int, headers: MultiMapping[str], body: bytes
    ) -> ApiResponse:
        """Decode the body of a response. If it is large, other tasks run between its slices."""
        if len(body) < LARGE:
            return cls.decode(request, status, headers, body)
        payload = await _decode_in_slices(body)
        return cls(request=request, status=status, headers=headers, payload=payload)

    @property
    def server_date(self) -> datetime | None:
        """The `Date` header in UTC, or `None` if it is missing or invalid."""
        return parse_http_date(self.headers.get("Date"))


def parse_retry_after(headers: MultiMapping[str], *, now: float) -> float | None:
    """Return the seconds from either form of `Retry-After`, or `None` without a valid value.

    A date is compared with the `Date` of the response, so that a wrong local clock has no effect.

    Args:
        headers: The headers of the response.
        now: The local time in seconds since the epoch, used without a `Date`.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), MAX_RETRY_AFTER)
    date = parse_http_date(text)
    if date is None:
        return None
    server_date = parse_http_date(headers.get("Date"))
    seconds = date.timestamp() - (server_date.timestamp() if server_date else now)
    return min(max(0.0, seconds), MAX_RETRY_AFTER)


@strip_traceback
def raise_for_status(response: ApiResponse, *, key: Secret, now: float) -> None:
    """Check that the request has succeeded.

    Args:
        response: The response.
        key: The API key, which is redacted from the error.
        now: The local time in seconds since the epoch.

    Raises:
        ApiError: The API refused the request, by the HTTP status or by the status in the envelope.
        DecodeError: The response is not JSON, or is too large.
    """
    envelope = response.payload if isinstance(response.payload, dict) else {}
    status = response.status
    envelope_status = envelope.get("status")
    if 200 <= status < 300 and isinstance(envelope_status, int) and 300 <= envelope_status < 600:
        status = envelope_status
    if not 200 <= status < 300:
        raise _api_error(status, envelope, response, key, now)
    if response.payload is NOT_JSON:
        raise DecodeError(f"{response.request}: the response is not JSON")
    if response.payload is TOO_LARGE:
        raise DecodeError(
            f"{response.request}: the response has an array of more than {MAX_ITEMS:,} items, or a string "
            f"of more than {MAX_TEXT:,} characters"
        )


def _api_error(
    status: int, envelope: dict[str, Any], response: ApiResponse, key: Secret, now: float
) -> ApiError:
    def clean(text: Any) -> str:
        return sanitize(text, limit=_TEXT_LIMIT, key=key)

    error_class = _ERROR_CLASSES.get(status, errors.ServerError if status >= 500 else ApiError)
    code = _scalar(envelope.get("error_code")) or _scalar(envelope.get("code"))
    properties = envelope.get("errors")
    return error_class(
        clean(_scalar(envelope.get("message")) or _reason_phrase(status)),
        status=status,
        code=None if code is None else clean(code),
        errors=redact_json(properties[:_MAX_ERRORS], clean) if isinstance(properties, list) else (),
        endpoint=clean(_scalar(envelope.get("endpoint")) or response.request),
        retry_after=parse_retry_after(response.headers, now=now),
    )


def _scalar(value: Any) -> Any:
    """Return `value` if it is a string or a number, whose text is limited in size; `None` otherwise."""
    return value if isinstance(value, (str, int, float)) else None


def _reason_phrase(status: int) -> str:
    if 300 <= status < 400:
        return "the API redirects, and redirects are not followed: check base_url"
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"


@strip_traceback
def parse_export(response: ApiResponse, export_id: str) -> Export:
    """Return the export in the response to a request for `export_id`, with or without an envelope.

    Raises:
        DecodeError: The response contains no export, or a different one.
    """
    export = _parse_any_export(response)
    if export.id != export_id:
        raise DecodeError(
            f"{response.request}: the response contains export {sanitize(export.id)} "
            f"instead of the requested export {sanitize(export_id)}"
        )
    return export


@strip_traceback
def parse_created_export(response: ApiResponse) -> Export:
    """Return the export in the response to a request that creates one, with or without an envelope.

    Raises:
        DecodeError: The response contains no export.
    """
    return _parse_any_export(response)


def _parse_any_export(response: ApiResponse) -> Export:
    payload = response.payload
    if isinstance(payload, dict) and "id" not in payload and "data" in payload:
        return export_from_json(payload["data"], f"{response.request}: data")
    return export_from_json(payload, f"{response.request}: the response")


@strip_traceback
def parse_page(response: ApiResponse) -> LazyPage:
    """Return the page of exports in a response, with or without an envelope.

    Raises:
        DecodeError: The response contains no page.
    """
    envelope = response.payload if isinstance(response.payload, dict) else {"data": response.payload}
    items = envelope.get("data")
    if not isinstance(items, list):
        raise DecodeError(f"{response.request}: data is not an array of exports")
    pagination = pagination_from_json(envelope.get("pagination"), count=len(items))
    return LazyPage(items, pagination, f"{response.request}: data")
