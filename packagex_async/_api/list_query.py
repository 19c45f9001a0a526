"""The parameters of a request for exports: validation, and the query."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar
from urllib.parse import quote, urlencode

import attrs

from packagex_async._api.fields import is_encodable
from packagex_async._api.requests import EXPORTS_PATH, check_integer
from packagex_async.errors import ConfigurationError
from packagex_async.models import Direction, ExportResource, ExportStatus, OrderBy

E = TypeVar("E", OrderBy, Direction)


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
