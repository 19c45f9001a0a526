"""Dates of a server, limited to a range within which adding and subtracting a few days cannot overflow."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
"""The first moment that is accepted."""

LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""The last one."""


def to_utc(moment: datetime) -> datetime:
    """Return `moment` in UTC; one without a time zone is taken for UTC.

    Raises:
        ValueError: It is before `EARLIEST` or after `LATEST`.
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not EARLIEST <= aware <= LATEST:
        raise ValueError("the date is out of range")
    return aware.astimezone(UTC)


def parse_http_date(text: str | None) -> datetime | None:
    """Return the moment that an HTTP date names, in UTC, or `None` if there is no usable one."""
    try:
        return to_utc(parsedate_to_datetime(text or ""))
    except (ValueError, OverflowError):
        return None
