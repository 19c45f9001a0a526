"""The options `--fields` and `--sort`."""

from __future__ import annotations

from typing import Any

import pytest

from packagex_async import ConfigurationError
from packagex_async.cli.output.layout import Column
from packagex_async.cli.output.selection import SortOrder, select_columns

COLUMNS = [Column("id", priority=0), Column("name")]


def test_selected_columns_are_required() -> None:
    """The order is that of the option. Repeated names are ignored."""
    columns = select_columns(COLUMNS, ["name,id", "name"])
    assert [(column.name, column.priority, column.required) for column in columns] == [
        ("name", 0, True),
        ("id", 1, True),
    ]
    assert select_columns(COLUMNS, None) == COLUMNS


def test_unknown_fields_are_refused() -> None:
    """The message names the known fields."""
    with pytest.raises(ConfigurationError, match="unknown field 'size'; the fields are id, name"):
        select_columns(COLUMNS, ["size"])
    with pytest.raises(ConfigurationError, match="--sort: unknown field ''"):
        SortOrder.parse("-", ["id"])


@pytest.mark.parametrize(("text", "ids"), [("name", [3, 1, 2]), ("-name", [1, 3, 2])])
def test_records_without_a_value_are_last(text: str, ids: list[int]) -> None:
    """The case of letters is ignored."""
    records: list[dict[str, Any]] = [{"id": 1, "name": "b"}, {"id": 2, "name": None}, {"id": 3, "name": "A"}]
    order = SortOrder.parse(text, ["id", "name"])
    assert [record["id"] for record in order.apply(records)] == ids


def test_numbers_are_sorted_as_numbers() -> None:
    """Ten comes after nine."""
    records: list[dict[str, Any]] = [{"id": 10}, {"id": 9}]
    assert SortOrder("id", descending=False).apply(records) == [{"id": 9}, {"id": 10}]
