"""The parameters of a request for exports: validation, and the query."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from packagex_async import ConfigurationError, ExportResource, ExportStatus, OrderBy
from packagex_async._api.list_query import ListQuery


def query(**arguments: Any) -> ListQuery:
    """Validate arguments, with defaults for all others."""
    names = ("order_by", "direction", "resource", "statuses", "search")
    defaults: dict[str, Any] = {"page": 1, "limit": 100, **dict.fromkeys(names)}
    return ListQuery.from_arguments(**defaults | arguments)


def test_list_query_contains_all_parameters() -> None:
    """Under their names in the API. Enums and strings are equivalent; statuses are joined by commas."""
    listing = query(
        page=2,
        limit=50,
        order_by=OrderBy.COUNT_TOTAL,
        direction="desc",
        resource=ExportResource.CONTACT,
        statuses=["completed", ExportStatus.FAILED],
        search="may day",
    )
    assert listing.target(7) == (
        "/v1/exports?page=7&limit=50&order_by=count_total&direction=desc&resource=contact"
        "&statuses=completed,failed&search=may%20day"
    )
    assert query().target(1) == "/v1/exports?page=1&limit=100"
    assert (
        query(statuses="queued", search="a&b=c d%")
        .target(1)
        .endswith("&statuses=queued&search=a%26b%3Dc%20d%25".replace("d%25", "d%25"))
    )
    assert query(search="AT & T").target(1).endswith("&search=AT%20%26%20T")
    assert (
        query(resource="drone", statuses=(s for s in ("paused",)))
        .target(1)
        .endswith("&resource=drone&statuses=paused")
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": 0}, "limit must be a whole number from 1 up, not 0"),
        ({"limit": True}, "limit must"),
        ({"limit": "10"}, "limit must"),
        ({"page": 0}, "page must"),
        ({"search": " "}, "search must be a non-empty text"),
        ({"search": 5}, "search must be a non-empty text"),
        ({"search": "caf\udcff"}, "search must be a non-empty text"),
        ({"order_by": "name"}, "order_by must be one of created_at, count_batches, count_total, updated_at"),
        ({"direction": "up"}, "direction must be one of asc, desc, not 'up'"),
        ({"resource": ""}, "resource must be a non-empty text"),
        ({"statuses": []}, "statuses is empty"),
        ({"statuses": ["completed", None]}, "statuses must be a non-empty text"),
    ],
)
def test_invalid_argument_is_a_configuration_error(arguments: dict[str, Any], message: str) -> None:
    """The message names the argument and its valid values."""
    with pytest.raises(ConfigurationError, match=message):
        query(**arguments)


@pytest.mark.parametrize(
    ("order", "is_oldest_first", "has_unstable_order", "sorted_order"),
    [
        ({}, True, False, {}),
        (
            {"order_by": "created_at", "direction": "asc"},
            True,
            False,
            {"order_by": "created_at", "direction": "asc"},
        ),
        ({"direction": "desc"}, False, False, {"direction": "asc"}),
        ({"order_by": "updated_at"}, False, True, {"order_by": "created_at"}),
    ],
)
def test_order_of_a_listing(
    order: dict[str, str], is_oldest_first: bool, has_unstable_order: bool, sorted_order: dict[str, str]
) -> None:
    """And the query for the same exports, oldest first."""
    listing = query(**order)
    assert (listing.is_oldest_first, listing.has_unstable_order) == (is_oldest_first, has_unstable_order)
    assert attrs.asdict(listing.sorted_oldest_first()) == attrs.asdict(query(**sorted_order))
