"""Requests to the API and its answers, without I/O: parameters checked, envelopes read, statuses mapped."""

from __future__ import annotations

import http
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode

import attrs

from packagex_async import errors
from packagex_async._api.converters import UnreadPage, export_from_json, is_id, is_text, pagination_from_json
from packagex_async._api.json_slices import LARGE, MAX_ITEMS, TooLargeError, loads_in_slices
from packagex_async._utils import json
from packagex_async._utils.aio import run_in_slices
from packagex_async._utils.http_headers import http_date as http_date
from packagex_async._utils.redaction import Secret, discreet, redact_json, sanitize
from packagex_async.errors import ApiError, ConfigurationError, DecodeError
from packagex_async.models import Direction, Export, ExportResource, ExportStatus, OrderBy

if TYPE_CHECKING:
    from multidict import MultiMapping

EXPORTS = "/v1/exports"
_REQUEST_TIMEOUT = 408
_TEXT_LIMIT = 1000
"""Characters of the longest text of the API that an error quotes."""

E = TypeVar("E", OrderBy, Direction)


@attrs.frozen(eq=False, repr=False)
class Request:
    """One request to the API.

    Attributes:
        method: `GET`, or `POST` to create an export.
        target: Its path and query.
        body: Its JSON.
    """

    method: str
    target: str
    body: bytes | None = attrs.field(default=None, repr=False)

    @property
    def path(self) -> str:
        """The target before its query."""
        return self.target.partition("?")[0]

    def may_be_done(self, failure: errors.PackageXError, *, connected: bool) -> bool:
        """Whether it may have changed something though it ended in `failure`: a GET changes nothing.

        Without a connection nothing was sent, and what a 4xx refuses is not done. The API promises nothing
        about the rest; a 408 may come from a gateway that had passed the request on.
        """
        if self.method == "GET" or not connected:
            return False
        if isinstance(failure, ApiError):
            return failure.status >= 500 or failure.status == _REQUEST_TIMEOUT
        return True

    def __str__(self) -> str:
        return sanitize(f"{self.method} {self.path}")


def export_target(export_id: str, *, include_csv: bool, include_json: bool) -> str:
    """The path and query that retrieve one export. API: Retrieve Export."""
    if not is_id(export_id):
        raise ConfigurationError(f"export_id must be an export's id, like 'exp_...', not {export_id!r}")
    flags = {"include_csv": include_csv, "include_json": include_json}
    query = urlencode({name: "true" for name, wanted in flags.items() if wanted})
    return f"{EXPORTS}/{quote(export_id, safe='')}" + (f"?{query}" if query else "")


@attrs.frozen(kw_only=True, repr=False)
class Listing:
    """What `GET /v1/exports` is asked for. API: List exports, Query Parameters."""

    page: int
    limit: int
    order_by: OrderBy | None = None
    direction: Direction | None = None
    resource: str | None = None
    statuses: str | None = None
    search: str | None = None

    @classmethod
    def of(
        cls,
        *,
        page: int,
        limit: int,
        order_by: OrderBy | str | None,
        direction: Direction | str | None,
        resource: ExportResource | str | None,
        statuses: ExportStatus | str | Iterable[ExportStatus | str] | None,
        search: str | None,
    ) -> Listing:
        """Check the parameters.

        Raises:
            ConfigurationError: One that the API would refuse or misread; says which and why.
        """
        return cls(
            page=whole_number("page", page, least=1),
            limit=whole_number("limit", limit, least=1),
            order_by=None if order_by is None else _member("order_by", order_by, OrderBy),
            direction=None if direction is None else _member("direction", direction, Direction),
            resource=None if resource is None else _word("resource", resource),
            statuses=None if statuses is None else _joined(statuses),
            search=None if search is None else _word("search", search),
        )

    @property
    def by_creation(self) -> bool:
        """Whether the listing is ordered by creation, oldest first, which is the API's default."""
        return not self.reorders and self.direction is not Direction.DESC

    @property
    def reorders(self) -> bool:
        """Whether it is ordered by something that changes while an export lives."""
        return self.order_by not in (None, OrderBy.CREATED_AT)

    def oldest_first(self) -> Listing:
        """The same exports by creation, oldest first."""
        return attrs.evolve(
            self,
            order_by=self.order_by and OrderBy.CREATED_AT,
            direction=self.direction and Direction.ASC,
        )

    def target(self, page: int) -> str:
        """The path and query of one page."""
        told = attrs.asdict(attrs.evolve(self, page=page), filter=lambda _, value: value is not None)
        return f"{EXPORTS}?{urlencode(told, safe=',', quote_via=quote)}"


def whole_number(name: str, value: int, *, least: int) -> int:
    """The parameter `name` as it was given.

    Raises:
        ConfigurationError: It is no whole number, or less than `least`.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigurationError(f"{name} must be a whole number from {least} up, not {value!r}")
    return value


def _member(name: str, value: str, kind: type[E]) -> E:
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(kind)
        raise ConfigurationError(f"{name} must be one of {allowed}, not {value!r}") from None


def _word(name: str, value: str) -> str:
    if not isinstance(value, str) or not is_text(value) or not value.strip():
        raise ConfigurationError(f"{name} must be a word, not {value!r}; leave it out to list everything")
    return str(value)


def _joined(statuses: str | Iterable[str]) -> str:
    words = [statuses] if isinstance(statuses, str) else list(statuses)
    if not words:
        raise ConfigurationError("statuses is empty; leave it out to list exports of every status")
    return ",".join(_word("statuses", word) for word in words)


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
class Answer:
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
    def of(cls, request: str, status: int, headers: MultiMapping[str], body: bytes) -> Answer:
        """Read an answer's body."""
        return cls(request=request, status=status, headers=headers, content=_content(body))

    @classmethod
    async def read(cls, request: str, status: int, headers: MultiMapping[str], body: bytes) -> Answer:
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


@discreet
def check(answer: Answer, *, key: Secret, now: float) -> None:
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


_MESSAGE_LIMIT = 2000
"""Characters of each text that the API says in an error."""

_MAX_ERRORS = 100
"""Failed properties that are kept of an error."""

_ERRORS: dict[int, type[ApiError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    422: errors.BadRequestError,
    429: errors.RateLimitError,
}


def _api_error(status: int, envelope: dict[str, Any], answer: Answer, key: Secret, now: float) -> ApiError:
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


@discreet
def parse_export(answer: Answer, export_id: str) -> Export:
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


@discreet
def parse_created_export(answer: Answer) -> Export:
    """The export in the answer to a request that creates one, bare or in its envelope.

    Raises:
        DecodeError: There is none; says where.
    """
    return _export(answer)


def _export(answer: Answer) -> Export:
    content = answer.content
    if isinstance(content, dict) and "id" not in content and "data" in content:
        return export_from_json(content["data"], f"{answer.request}: data")
    return export_from_json(content, f"{answer.request}: the answer")


@discreet
def parse_page(answer: Answer) -> UnreadPage:
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
