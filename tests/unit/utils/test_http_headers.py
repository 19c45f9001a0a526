"""Dates of a server are converted to UTC, and limited to a safe range."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from packagex_async._utils.http_headers import EARLIEST, LATEST, parse_http_date, to_utc


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wed, 01 May 2024 12:00:00 GMT", datetime(2024, 5, 1, 12, tzinfo=UTC)),
        ("Wed, 01 May 2024 12:00:00 -0000", datetime(2024, 5, 1, 12, tzinfo=UTC)),
        ("Wed, 01 May 2024 12:00:00 +0200", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("Wednesday, 01-May-24 12:00:00 GMT", datetime(2024, 5, 1, 12, tzinfo=UTC)),
        (None, None),
        ("", None),
        ("tomorrow", None),
        ("Wed, 99 May 2024 12:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),
    ],
)
def test_a_date_header_is_parsed(text: str | None, expected: datetime | None) -> None:
    """A missing, invalid or extreme date is `None`."""
    parsed = parse_http_date(text)
    assert parsed == expected
    assert parsed is None or parsed.tzinfo is UTC


@pytest.mark.parametrize("limit", [EARLIEST, LATEST])
def test_the_range_of_dates_is_limited(limit: datetime) -> None:
    """The limits themselves are accepted, in any time zone. Naive dates are taken as UTC."""
    beyond = timedelta(seconds=1 if limit is LATEST else -1)
    assert to_utc(limit) == to_utc(limit.replace(tzinfo=None)) == limit
    assert to_utc(limit.astimezone(timezone(timedelta(hours=5)))) == limit
    for moment in (limit + beyond, (limit + beyond).replace(tzinfo=None)):
        with pytest.raises(ValueError, match="out of range"):
            to_utc(moment)
