"""The options of all commands that list exports: filters and order."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from packagex_async.cli.parameters import split_commas


@attrs.frozen(kw_only=True)
class FilterOptions:
    """Filters and order of a listing. The docstrings of the fields are the help of the options."""

    resource: str | None = None
    """Only exports of this resource: contact, group, location, shipment, tracker, ..."""

    statuses: list[str] | None = None
    """Only exports with these statuses: queued, processing, completed, failed, timed_out. Repeat the option
    or separate values by commas."""

    search: str | None = None
    """Only exports whose name matches these search terms."""

    order_by: Literal["created_at", "count_batches", "count_total", "updated_at"] | None = None
    """Sort by this field. Default: created_at."""

    direction: Literal["asc", "desc"] | None = None
    """Sort in ascending or descending order. Default: asc."""

    limit: int = 100
    """Exports per page."""

    def as_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for `AsyncExports.list` and `AsyncExports.download_all`."""
        return attrs.asdict(self) | {"statuses": split_commas(self.statuses)}
