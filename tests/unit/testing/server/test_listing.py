"""The query parameters of a listing."""

from __future__ import annotations

import pytest

from packagex_async.testing.data.store import Store
from packagex_async.testing.server.listing import InvalidParametersError, ListParameters


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"page": "0"}, ["page"]),
        ({"page": "x", "limit": "-1"}, ["page", "limit"]),
        ({"order_by": "name", "direction": "up"}, ["order_by", "direction"]),
        ({"resource": "people"}, ["resource"]),
        ({"statuses": "completed,odd"}, ["statuses"]),
        ({"search": "a front"}, ["search"]),
    ],
)
def test_invalid_parameters_are_named(query: dict[str, str], names: list[str]) -> None:
    """The error contains all of them."""
    with pytest.raises(InvalidParametersError) as error:
        ListParameters.parse(query, limit_cap=100)
    assert error.value.names == tuple(names)


def test_limit_is_capped() -> None:
    """The defaults are page 1 and a limit of 10."""
    assert ListParameters.parse({"limit": "50"}, limit_cap=3).limit == 3
    defaults = ListParameters.parse({}, limit_cap=100)
    assert (defaults.page, defaults.limit, defaults.order_by, defaults.direction) == (
        1,
        10,
        "created_at",
        "asc",
    )


def test_pages_of_a_sorted_selection() -> None:
    """Exports with equal values keep their order, and are reversed with `desc`."""
    store = Store(seed=7, now=lambda: 0.0, pending=None)
    added = [store.add(rows=rows).id for rows in (5, 3, 5)]
    for direction, expected in (("asc", [1, 0, 2]), ("desc", [2, 0, 1])):
        query = {"order_by": "count_total", "direction": direction, "limit": "2", "page": "2"}
        parameters = ListParameters.parse(query, limit_cap=100)
        selected = parameters.select(store.exports())
        assert [export.id for export in selected] == [added[index] for index in expected]
        assert parameters.paginate(selected) == selected[2:]
