"""Conversion of the fields of an export."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async._api.fields import convert_datetime, is_id


@pytest.mark.parametrize(
    "stamp",
    [
        1714564800,
        1714564800.0,
        "1714564800",
        1714564800000,
        "2024-05-01T12:00:00Z",
        "2024-05-01T12:00:00",
        "2024-05-01T14:00:00+02:00",
        "2024-05-01 12:00:00.000000+00:00",
    ],
)
def test_all_time_formats_are_converted_to_utc(stamp: object) -> None:
    """Epoch seconds, epoch milliseconds and ISO 8601."""
    moment = convert_datetime(stamp)
    assert moment == datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert moment is not None
    assert moment.tzinfo is UTC


@given(st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)), st.integers(-12, 12))
def test_time_is_converted_without_loss(moment: datetime, offset: int) -> None:
    """Except for the resolution of the format."""
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    seconds = moment.replace(microsecond=0)
    assert convert_datetime(int(seconds.timestamp())) == seconds
    assert convert_datetime(round(moment.timestamp() * 1000)) == moment
    elsewhere = moment.astimezone(timezone(timedelta(hours=offset)))
    assert convert_datetime(elsewhere.isoformat()) == moment


@pytest.mark.parametrize(
    ("value", "valid"),
    [("exp_1", True), ("a b", True), ("", False), (" ", False), ("..", False), ("\ud800", False), (7, False)],
)
def test_id_must_be_usable_in_a_path(value: object, valid: bool) -> None:
    """It must not be a relative path segment, and must be encodable."""
    assert is_id(value) is valid
