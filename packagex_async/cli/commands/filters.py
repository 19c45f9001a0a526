"""The options that choose exports, the same for every command that lists them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import attrs


@attrs.frozen(kw_only=True)
class Filters:
    """Which exports, and in which order."""

    resource: str | None = None
    """Only exports of this resource: contact, group, location, shipment, tracker, ..."""

    statuses: list[str] | None = None
    """Only these: queued, processing, completed, failed, timed_out; repeat it or use commas."""

    search: str | None = None
    """Only exports whose name matches."""

    order_by: Literal["created_at", "count_batches", "count_total", "updated_at"] | None = None
    """The field to order by; created_at unless given."""

    direction: Literal["asc", "desc"] | None = None
    """The order; asc unless given."""

    limit: int = 100
    """The most exports a page of the listing holds."""

    def parameters(self) -> dict[str, Any]:
        """The same under the names of the methods' parameters."""
        return attrs.asdict(self) | {"statuses": words(self.statuses)}


def words(given: Iterable[str] | None) -> list[str] | None:
    """The values of an option that may be repeated, or hold several with commas between them."""
    return None if given is None else [word for item in given for word in item.split(",") if word]
