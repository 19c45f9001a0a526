"""The options of all commands that list exports: filters and order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import attrs
from cyclopts import Parameter

from packagex_async.cli.parameters import split_commas
from packagex_async.cli.sizes import parse_duration

DEFAULT_LIMIT = 100
"""Exports per page, unless `--limit` is used."""


def parse_moment(text: str) -> datetime:
    """Parse a date, a date with time, or an age such as `24h`.

    Returns:
        The date and time. Without an offset it is in UTC.

    Raises:
        ValueError: The text is neither a date nor an age, or it is out of range.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment if moment.utcoffset() is not None else moment.replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        # A number without a unit may be meant as a year.
        if text.strip()[-1:].isalpha():
            return datetime.now(UTC) - timedelta(seconds=parse_duration(text))
    except ValueError:
        pass
    raise ValueError(
        f"{text!r} is neither a date nor an age: use 2024-05-01, 2024-05-01T12:00:00+02:00, 24h or 2d"
    )


def _convert_moment(hint: Any, tokens: Sequence[Any]) -> datetime:
    return parse_moment(tokens[0].value)


_MOMENT = Parameter(converter=_convert_moment, metavar="TIME")


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

    created_after: Annotated[datetime | None, _MOMENT] = None
    """Only exports created at this time or later: a date, a date with time (UTC unless it has an offset), or
    an age such as 24h or 2d."""

    created_before: Annotated[datetime | None, _MOMENT] = None
    """Only exports created before this time; see --created-after."""

    limit: int | None = None
    """Exports per page. Default: 100."""

    def as_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for `AsyncExports.list` and `AsyncExports.download_all`."""
        limit = DEFAULT_LIMIT if self.limit is None else self.limit
        return attrs.asdict(self) | {"statuses": split_commas(self.statuses), "limit": limit}
