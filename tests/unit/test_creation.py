"""The options of a new export are validated and converted to JSON."""

from __future__ import annotations

import json
import math
from types import MappingProxyType
from typing import Any

import pytest

from packagex_async import ConfigurationError, CsvFieldOptions, ExportResource
from packagex_async.creation import creation_body


def body(resource: Any = "contact", options: Any = None, csv_field_options: Any = None) -> Any:
    return json.loads(creation_body(resource, options, csv_field_options))


def test_the_body_matches_the_api_documentation() -> None:
    """All fields are those of its example."""
    csv = CsvFieldOptions(
        timezone="America/New_York", datetime_format="MM/dd/yyyy hh:mm:ss a", columns=["id", "status"]
    )
    assert body(ExportResource.SHIPMENT, {"limit": 1000, "created_at": "gte:2024-01-01"}, csv) == {
        "resource": "shipment",
        "options": {"limit": 1000, "created_at": "gte:2024-01-01"},
        "csv_field_options": {
            "timezone": "America/New_York",
            "datetime_format": "MM/dd/yyyy hh:mm:ss a",
            "columns": {"id": True, "status": True},
        },
    }


def test_missing_options_are_not_sent() -> None:
    """Neither `options` and `csv_field_options`, nor their fields."""
    assert body() == {"resource": "contact"}
    assert body(csv_field_options=CsvFieldOptions(timezone="UTC")) == {
        "resource": "contact",
        "csv_field_options": {"timezone": "UTC"},
    }


def test_a_mapping_is_sent_unchanged() -> None:
    """It may contain resources, options and fields that this version does not know."""
    options = MappingProxyType({"limit": "all", "group_id": "grp_ü"})
    fields = {"columns": {"groups": "flattened"}}
    assert body("pallet", options, fields) == {
        "resource": "pallet",
        "options": {"limit": "all", "group_id": "grp_ü"},
        "csv_field_options": fields,
    }


@pytest.mark.parametrize(
    ("invalid", "message"),
    [
        ({"resource": ""}, "resource must be a kind of records, such as 'contact', not ''"),
        ({"resource": None}, "resource must be"),
        ({"options": "all"}, "options must be a mapping of names to values, not 'all'"),
        ({"options": {1: "x"}}, "options must be a mapping"),
        ({"options": {"limit": 0}}, "limit must be a positive integer or 'all', not 0"),
        ({"options": {"limit": True}}, "limit must be"),
        ({"options": {"limit": "10"}}, "limit must be"),
        ({"options": {"ids": {"a"}}}, "must be plain JSON values: .* set"),
        ({"options": {"weight": math.nan}}, "must be plain JSON values"),
        ({"options": {"name": "\ud800"}}, "must be plain JSON values"),
        ({"csv_field_options": ["id"]}, "csv_field_options must be a mapping"),
    ],
)
def test_invalid_options_are_an_error(invalid: dict[str, Any], message: str) -> None:
    """The message names the option and the problem."""
    with pytest.raises(ConfigurationError, match=message):
        body(**invalid)


@pytest.mark.parametrize(
    ("invalid", "message"),
    [
        ({"timezone": 5}, "timezone must be a non-empty string, not 5"),
        ({"datetime_format": " "}, "datetime_format must be a non-empty string"),
        ({"columns": "id"}, "columns must be one or more column names, not 'id'"),
        ({"columns": []}, "columns must be"),
        ({"columns": 3}, "columns must be"),
        ({"columns": ["id", None]}, "columns must be"),
    ],
)
def test_invalid_csv_options_are_an_error(invalid: dict[str, Any], message: str) -> None:
    """When the record is created."""
    with pytest.raises(ConfigurationError, match=message):
        CsvFieldOptions(**invalid)


def test_csv_options_are_equal_and_hashable() -> None:
    """The order of the columns is significant."""
    first, second = (CsvFieldOptions(columns=names) for names in (["b", "a"], ("b", "a")))
    assert first == second
    assert len({first, second, CsvFieldOptions(columns=["a", "b"])}) == 2
