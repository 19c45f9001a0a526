"""Requests to the Exports API: parameters are checked, and paths, queries and bodies are built."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar
from urllib.parse import quote, urlencode

import attrs

from packagex_async import errors
from packagex_async._api.converters import is_id, is_text
from packagex_async._utils.redaction import sanitize
from packagex_async.errors import ApiError, ConfigurationError
from packagex_async.models import Direction, ExportResource, ExportStatus, OrderBy

EXPORTS = "/v1/exports"
_REQUEST_TIMEOUT = 408
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
class ListQuery:
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
    ) -> ListQuery:
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

    def oldest_first(self) -> ListQuery:
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
