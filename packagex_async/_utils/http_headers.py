"""Dates in responses, limited to a range in which adding or subtracting a few days cannot overflow."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
"""The earliest accepted date."""

LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""The latest accepted date."""


def to_utc(moment: datetime) -> datetime:
    """Return `moment` in UTC; a naive one is taken as UTC.

    Raises:
        ValueError: It is before `EARLIEST` or after `LATEST`.
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not EARLIEST <= aware <= LATEST:
        raise ValueError("the date is out of range")
    return aware.astimezone(UTC)


def parse_http_date(text: str | None) -> datetime | None:
    """Return the date in an HTTP header such as `Date`, in UTC, or `None` if it is missing or invalid."""
    try:
        return to_utc(parsedate_to_datetime(text or ""))
    except (ValueError, OverflowError):
        return None
