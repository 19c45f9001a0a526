"""Requests to the API and its answers, without I/O: parameters checked, envelopes read, statuses mapped."""

from __future__ import annotations

import http
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from packagex_async import errors
from packagex_async._api.converters import UnreadPage, export_from_json, pagination_from_json
from packagex_async._api.json_slices import LARGE, MAX_ITEMS, TooLargeError, loads_in_slices
from packagex_async._utils import json
from packagex_async._utils.aio import run_in_slices
from packagex_async._utils.http_headers import http_date as http_date
from packagex_async._utils.redaction import Secret, redact_json, sanitize, strip_traceback
from packagex_async.errors import ApiError, DecodeError
from packagex_async.models import Export

if TYPE_CHECKING:
    from multidict import MultiMapping

_TEXT_LIMIT = 1000
"""Characters of the longest text of the API that an error quotes."""


NOT_JSON = object()
"""The content of an answer whose body is not JSON."""

TOO_LARGE = object()
"""The content of an answer whose body has more items, or longer strings, than are decoded."""


def _content(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return NOT_JSON


async def _large_content(body: bytes) -> Any:
    try:
        return await run_in_slices(loads_in_slices(body))
    except TooLargeError:
        return TOO_LARGE
    except (ValueError, RecursionError):
        return NOT_JSON


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ApiResponse:
    """What came back for one request to the API.

    Attributes:
        request: The method and path that were asked for.
        status: The HTTP status.
        headers: The headers, case-insensitive.
        content: The JSON of the body, whatever its content type; or `NOT_JSON`, or `TOO_LARGE`.
    """

    request: str
    status: int
    headers: MultiMapping[str] = attrs.field(repr=False)
    content: Any = attrs.field(repr=False)

    @classmethod
    def of(cls, request: str, status: int, headers: MultiMapping[str], body: bytes) -> ApiResponse:
        """Read an answer's body."""
        return cls(request=request, status=status, headers=headers, content=_content(body))

    @classmethod
    async def read(cls, request: str, status: int, headers: MultiMapping[str], body: bytes) -> ApiResponse:
        """Read an answer's body; a large one in slices, between which other tasks run."""
        if len(body) < LARGE:
            return cls.of(request, status, headers, body)
        content = await _large_content(body)
        return cls(request=request, status=status, headers=headers, content=content)

    @property
    def served(self) -> datetime | None:
        """The server's time, from its `Date` header."""
        return http_date(self.headers.get("Date"))


MAX_RETRY_AFTER = 1e9
"""Seconds, about 30 years: what a server asks for beyond that counts as this long."""


def retry_after(headers: MultiMapping[str], *, now: float) -> float | None:
    """Seconds the server asks to wait, from either form of `Retry-After`; `now` is the epoch time here.

    A date is read against the server's own `Date`, so that a clock that is wrong here does no harm.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), MAX_RETRY_AFTER)
    moment = http_date(text)
    if moment is None:
        return None
    served = http_date(headers.get("Date"))
    seconds = moment.timestamp() - (served.timestamp() if served else now)
    return min(max(0.0, seconds), MAX_RETRY_AFTER)


@strip_traceback
def raise_for_status(answer: ApiResponse, *, key: Secret, now: float) -> None:
    """Make sure that an answer holds what was asked for.

    Raises:
        ApiError: The API refused, by its HTTP status or by the status in its envelope.
        DecodeError: The answer is not JSON.
    """
    envelope = answer.content if isinstance(answer.content, dict) else {}
    status = answer.status
    told = envelope.get("status")
    if 200 <= status < 300 and isinstance(told, int) and 300 <= told < 600:
        status = told
    if not 200 <= status < 300:
        raise _api_error(status, envelope, answer, key, now)
    if answer.content is NOT_JSON:
        raise DecodeError(f"{answer.request}: the answer is not JSON")
    if answer.content is TOO_LARGE:
        raise DecodeError(
            f"{answer.request}: the answer has an array of more than {MAX_ITEMS:,} items, or a string of "
            "many megabytes: no listing of exports looks like that"
        )


_MAX_ERRORS = 100
"""Failed properties that are kept of an error."""

_ERRORS: dict[int, type[ApiError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    410: errors.NotFoundError,
    422: errors.BadRequestError,
    429: errors.RateLimitError,
}


def _api_error(
    status: int, envelope: dict[str, Any], answer: ApiResponse, key: Secret, now: float
) -> ApiError:
    def clean(text: Any) -> str:
        return sanitize(text, limit=_TEXT_LIMIT, key=key)

    kind = _ERRORS.get(status, errors.ServerError if status >= 500 else ApiError)
    code = _scalar(envelope.get("error_code")) or _scalar(envelope.get("code"))
    failed = envelope.get("errors")
    return kind(
        clean(_scalar(envelope.get("message")) or _phrase(status)),
        status=status,
        code=None if code is None else clean(code),
        errors=redact_json(failed[:_MAX_ERRORS], clean) if isinstance(failed, list) else (),
        endpoint=clean(_scalar(envelope.get("endpoint")) or answer.request),
        retry_after=retry_after(answer.headers, now=now),
    )


def _scalar(value: Any) -> Any:
    """Return `value` if it is text or a number; the text of anything else can be of any size and depth."""
    return value if isinstance(value, (str, int, float)) else None


def _phrase(status: int) -> str:
    if 300 <= status < 400:
        return "the API redirects, which is not followed: check base_url"
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"


@strip_traceback
def parse_export(answer: ApiResponse, export_id: str) -> Export:
    """The export in the answer to a request about `export_id`, bare or in its envelope.

    Raises:
        DecodeError: There is none, or it is another one; says where, and which.
    """
    export = _export(answer)
    if export.id != export_id:
        raise DecodeError(
            f"{answer.request}: the answer is about export {sanitize(export.id)}, "
            f"not about export {sanitize(export_id)}, which was asked for"
        )
    return export


@strip_traceback
def parse_created_export(answer: ApiResponse) -> Export:
    """The export in the answer to a request that creates one, bare or in its envelope.

    Raises:
        DecodeError: There is none; says where.
    """
    return _export(answer)


def _export(answer: ApiResponse) -> Export:
    content = answer.content
    if isinstance(content, dict) and "id" not in content and "data" in content:
        return export_from_json(content["data"], f"{answer.request}: data")
    return export_from_json(content, f"{answer.request}: the answer")


@strip_traceback
def parse_page(answer: ApiResponse) -> UnreadPage:
    """The page of exports in an answer, bare or in its envelope.

    Raises:
        DecodeError: There is no page; says where.
    """
    envelope = answer.content if isinstance(answer.content, dict) else {"data": answer.content}
    items = envelope.get("data")
    if not isinstance(items, list):
        raise DecodeError(f"{answer.request}: data is not an array of exports")
    pagination = pagination_from_json(envelope.get("pagination"), count=len(items))
    return UnreadPage(items, pagination, f"{answer.request}: data")
