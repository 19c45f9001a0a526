"""The options of all commands that list exports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from packagex_async.cli.filters import FilterOptions, parse_moment
from packagex_async.testing import Emulator
from tests.cli.support import Cli


def test_every_filter_reaches_the_api(server: Emulator, cli: Cli) -> None:
    """Options have the API's names. Statuses may be repeated or separated by commas."""
    options = "--page 1 --limit 3 --order-by count_total --direction desc --resource contact --search conta"
    result = cli("list", *options.split(), "--statuses", "completed,queued", "--statuses", "failed")
    assert result.code == 0
    assert server.requests[0].query == {
        "page": "1",
        "limit": "3",
        "order_by": "count_total",
        "direction": "desc",
        "resource": "contact",
        "statuses": "completed,queued,failed",
        "search": "conta",
    }
    assert len(result.out.splitlines()) == 4


def test_arguments_have_the_names_of_the_methods() -> None:
    """Options without a value are `None`."""
    assert FilterOptions(resource="contact", statuses=["queued,failed"]).as_arguments() == {
        "resource": "contact",
        "statuses": ["queued", "failed"],
        "search": None,
        "created_after": None,
        "created_before": None,
        "order_by": None,
        "direction": None,
        "limit": 100,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-01", datetime(2024, 5, 1, tzinfo=UTC)),
        ("2024-05-01T12:00:00+02:00", datetime(2024, 5, 1, 10, tzinfo=UTC)),
    ],
)
def test_dates(text: str, expected: datetime) -> None:
    """Without an offset, a date is in UTC."""
    assert parse_moment(text) == expected


def test_age_is_before_now() -> None:
    """An age is subtracted from the current time."""
    before = datetime.now(UTC)
    assert before - timedelta(days=2) <= parse_moment("2d") <= datetime.now(UTC) - timedelta(days=2)


@pytest.mark.parametrize("text", ["", "2024", "yesterday", "24x", "2024-13-01"])
def test_other_texts_are_refused(text: str) -> None:
    """The message contains examples."""
    with pytest.raises(ValueError, match="neither a date nor an age"):
        parse_moment(text)


def test_listing_is_filtered_by_creation(server: Emulator, cli: Cli) -> None:
    """The API is asked for all exports."""
    ids = {e.id for e in server.exports if e.created_at > server.now() - 5.5 * 3600}
    result = cli("list", "--created-after", "330m", "--json")
    assert {record["id"] for record in result.records} == ids
    assert "created_after" not in server.requests[0].query
