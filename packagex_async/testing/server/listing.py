"""The query parameters of a listing: parse them, then filter, sort and paginate exports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import attrs

from packagex_async.testing.data.store import StoredExport

RESOURCES = (
    "contact", "group", "location", "shipment", "tracker", "shipping_label_inference", "fulfillment", "item",
    "manifest", "asset",
)  # fmt: skip
STATUSES = ("queued", "processing", "completed", "failed", "timed_out")
ORDERS = ("created_at", "count_batches", "count_total", "updated_at")
DIRECTIONS = ("asc", "desc")

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


class InvalidParametersError(Exception):
    """A request has invalid parameters.

    Attributes:
        names: The names of the invalid parameters.
    """

    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        self.names = names


@attrs.frozen(kw_only=True)
class ListParameters:
    """The query parameters of a listing. API: List exports."""

    page: int
    limit: int
    order_by: str
    direction: str
    resource: str | None
    statuses: tuple[str, ...]
    terms: tuple[str, ...]

    @classmethod
    def parse(cls, query: Mapping[str, str], *, limit_cap: int) -> ListParameters:
        """Parse `query`. A limit above `limit_cap` is reduced to it.

        Raises:
            InvalidParametersError: A parameter is invalid. The error names all invalid parameters.
        """
        statuses = tuple(filter(None, query.get("statuses", "").split(",")))
        terms = tuple(query.get("search", "").lower().split())
        checks = {
            "page": _NUMBER.fullmatch(query.get("page", "1")),
            "limit": _NUMBER.fullmatch(query.get("limit", "10")),
            "order_by": query.get("order_by", "created_at") in ORDERS,
            "direction": query.get("direction", "asc") in DIRECTIONS,
            "resource": query.get("resource", RESOURCES[0]) in RESOURCES,
            "statuses": set(statuses) <= set(STATUSES),
            "search": all(len(term) >= 2 for term in terms),
        }
        if invalid := [name for name, is_valid in checks.items() if not is_valid]:
            raise InvalidParametersError(*invalid)
        return cls(
            page=int(query.get("page", "1")),
            limit=min(int(query.get("limit", "10")), limit_cap),
            order_by=query.get("order_by", "created_at"),
            direction=query.get("direction", "asc"),
            resource=query.get("resource"),
            statuses=statuses,
            terms=terms,
        )

    def select(self, exports: Iterable[StoredExport]) -> list[StoredExport]:
        """Return the matching exports in the requested order; ties keep the order of `exports`."""
        matching = [export for export in exports if self._matches(export)]
        ordered = sorted(enumerate(matching), key=self._sort_key, reverse=self.direction == "desc")
        return [export for _, export in ordered]

    def paginate(self, selected: list[StoredExport]) -> list[StoredExport]:
        """Return the exports on the requested page."""
        start = (self.page - 1) * self.limit
        return selected[start : start + self.limit]

    def _matches(self, export: StoredExport) -> bool:
        name = export.name.lower()
        return (
            self.resource in (None, export.resource)
            and (not self.statuses or export.status in self.statuses)
            and all(term in name for term in self.terms)
        )

    def _sort_key(self, item: tuple[int, StoredExport]) -> tuple[float, int]:
        index, export = item
        return getattr(export, self.order_by), index
