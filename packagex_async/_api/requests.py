"""Requests to the Exports API: validation of parameters, and paths and queries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar
from urllib.parse import quote, urlencode

import attrs

from packagex_async import errors
from packagex_async._api.converters import is_encodable, is_id
from packagex_async._utils.redaction import sanitize
from packagex_async.errors import ApiError, ConfigurationError
from packagex_async.models import Artifact, Direction, ExportResource, ExportStatus, OrderBy

EXPORTS_PATH = "/v1/exports"
_REQUEST_TIMEOUT = 408
E = TypeVar("E", OrderBy, Direction)


@attrs.frozen(eq=False, repr=False)
class Request:
    """One request to the API.

    Attributes:
        method: `GET`, or `POST` to create an export.
        target: The path and query.
        body: The JSON body.
    """

    method: str
    target: str
    body: bytes | None = attrs.field(default=None, repr=False)

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.target.partition("?")[0]

    def may_have_succeeded(self, failure: errors.PackageXError, *, connected: bool) -> bool:
        """Return whether a failed request may have created an export.

        A GET creates nothing. Without a connection, the request was not sent. After a 4xx, the API has not
        carried it out, except after a 408, which a gateway may send after it has forwarded the request. All
        other failures are ambiguous.

        Args:
            failure: The error of the request.
            connected: Whether there was a connection.
        """
        if self.method == "GET" or not connected:
            return False
        if isinstance(failure, ApiError):
            return failure.status >= 500 or failure.status == _REQUEST_TIMEOUT
        return True

    def __str__(self) -> str:
        return sanitize(f"{self.method} {self.path}")


def export_target(export_id: str, *, include_csv: bool, include_json: bool) -> str:
    """Return the path and query of a request for one export. API: Retrieve Export.

    Raises:
        ConfigurationError: `export_id` is not a valid id.
    """
    if not is_id(export_id):
        raise ConfigurationError(f"export_id must be an export's id, like 'exp_...', not {export_id!r}")
    flags = {"include_csv": include_csv, "include_json": include_json}
    query = urlencode({name: "true" for name, included in flags.items() if included})
    return f"{EXPORTS_PATH}/{quote(export_id, safe='')}" + (f"?{query}" if query else "")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ListQuery:
    """The parameters of `GET /v1/exports`. API: List exports, Query Parameters."""

    page: int
    limit: int
    order_by: OrderBy | None = None
    direction: Direction | None = None
    resource: str | None = None
    statuses: str | None = None
    search: str | None = None

    @classmethod
    def from_arguments(
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
        """Validate the arguments of a listing.

        Raises:
            ConfigurationError: The API would refuse or misinterpret an argument. The message names it.
        """
        return cls(
            page=check_integer("page", page, min_value=1),
            limit=check_integer("limit", limit, min_value=1),
            order_by=None if order_by is None else _check_enum("order_by", order_by, OrderBy),
            direction=None if direction is None else _check_enum("direction", direction, Direction),
            resource=None if resource is None else _check_text("resource", resource),
            statuses=None if statuses is None else _join_statuses(statuses),
            search=None if search is None else _check_text("search", search),
        )

    @property
    def is_oldest_first(self) -> bool:
        """Whether exports are ordered by creation, oldest first, which is the default of the API."""
        return not self.has_unstable_order and self.direction is not Direction.DESC

    @property
    def has_unstable_order(self) -> bool:
        """Whether exports are ordered by a field that changes during their lifetime."""
        return self.order_by not in (None, OrderBy.CREATED_AT)

    def sorted_oldest_first(self) -> ListQuery:
        """Return the query for the same exports, ordered by creation, oldest first."""
        return attrs.evolve(
            self,
            order_by=self.order_by and OrderBy.CREATED_AT,
            direction=self.direction and Direction.ASC,
        )

    def target(self, page: int) -> str:
        """Return the path and query of a request for one page."""
        parameters = attrs.asdict(attrs.evolve(self, page=page), filter=lambda _, value: value is not None)
        return f"{EXPORTS_PATH}?{urlencode(parameters, safe=',', quote_via=quote)}"


def check_integer(name: str, value: int, *, min_value: int) -> int:
    """Return the value of the parameter `name`.

    Raises:
        ConfigurationError: It is not an integer, or less than `min_value`.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < min_value:
        raise ConfigurationError(f"{name} must be a whole number from {min_value} up, not {value!r}")
    return value


def _check_enum(name: str, value: str, kind: type[E]) -> E:
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(kind)
        raise ConfigurationError(f"{name} must be one of {allowed}, not {value!r}") from None


def _check_text(name: str, value: str) -> str:
    if not isinstance(value, str) or not is_encodable(value) or not value.strip():
        raise ConfigurationError(
            f"{name} must be a non-empty text, not {value!r}; omit it to list everything"
        )
    return str(value)


def _join_statuses(statuses: str | Iterable[str]) -> str:
    values = [statuses] if isinstance(statuses, str) else list(statuses)
    if not values:
        raise ConfigurationError("statuses is empty; omit it to list exports of every status")
    return ",".join(_check_text("statuses", value) for value in values)


def select_artifacts(artifacts: Iterable[Artifact | str] | str | None) -> tuple[Artifact, ...]:
    """Return the artifacts that a caller names, or all four if it names none.

    Raises:
        ConfigurationError: A name is unknown, or the selection is empty.
    """
    if artifacts is None:
        return tuple(Artifact)
    names = {artifacts} if isinstance(artifacts, str) else set(artifacts)
    if not names or not names <= set(Artifact):
        given = ", ".join(sorted(map(repr, map(str, names)))) or "none"
        raise ConfigurationError(f"artifacts must be some of {', '.join(Artifact)}, not {given}")
    return tuple(artifact for artifact in Artifact if artifact in names)
