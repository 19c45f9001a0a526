"""What the parameters of a listing mean: read them, then select, order and cut."""

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


class BadParametersError(Exception):
    """Parameters the API refuses.

    Attributes:
        names: Their names.
    """

    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        self.names = names


@attrs.frozen(kw_only=True)
class Listing:
    """The parameters of one listing. API: List exports."""

    page: int
    limit: int
    order_by: str
    direction: str
    resource: str | None
    statuses: tuple[str, ...]
    terms: tuple[str, ...]

    @classmethod
    def read(cls, query: Mapping[str, str], *, limit_cap: int) -> Listing:
        """The listing `query` asks for, its limit capped.

        Raises:
            BadParametersError: Names every parameter that makes no sense.
        """
        statuses = tuple(filter(None, query.get("statuses", "").split(",")))
        terms = tuple(query.get("search", "").lower().split())
        good = {
            "page": _NUMBER.fullmatch(query.get("page", "1")),
            "limit": _NUMBER.fullmatch(query.get("limit", "10")),
            "order_by": query.get("order_by", "created_at") in ORDERS,
            "direction": query.get("direction", "asc") in DIRECTIONS,
            "resource": query.get("resource", RESOURCES[0]) in RESOURCES,
            "statuses": set(statuses) <= set(STATUSES),
            "search": all(len(term) >= 2 for term in terms),
        }
        if bad := [name for name, verdict in good.items() if not verdict]:
            raise BadParametersError(*bad)
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
        """All exports the listing is of, in its order; the creation order of `exports` breaks ties."""
        chosen = [export for export in exports if self._wants(export)]
        ranked = sorted(enumerate(chosen), key=self._rank, reverse=self.direction == "desc")
        return [export for _, export in ranked]

    def cut(self, selected: list[StoredExport]) -> list[StoredExport]:
        """The exports of the listing's one page."""
        start = (self.page - 1) * self.limit
        return selected[start : start + self.limit]

    def _wants(self, export: StoredExport) -> bool:
        name = export.name.lower()
        return (
            self.resource in (None, export.resource)
            and (not self.statuses or export.status in self.statuses)
            and all(term in name for term in self.terms)
        )

    def _rank(self, placed: tuple[int, StoredExport]) -> tuple[float, int]:
        place, export = placed
        return getattr(export, self.order_by), place
