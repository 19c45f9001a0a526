"""Parsing the body of a request that creates an export."""

from __future__ import annotations

import pytest

from packagex_async.testing.server.create_request import CreateRequest
from packagex_async.testing.server.listing import InvalidParametersError


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        (b'{"resource": "item"}', None),
        (b'{"resource": "item", "options": {"limit": "all"}}', None),
        (b'{"resource": "item", "options": {"limit": 30}, "csv_field_options": {"timezone": "UTC"}}', 30),
    ],
)
def test_valid_body(body: bytes, limit: int | None) -> None:
    """`None` means all rows."""
    assert CreateRequest.parse(body) == CreateRequest(resource="item", limit=limit)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b"{", ["body"]),
        (b"[]", ["body"]),
        (b"{}", ["resource"]),
        (b'{"resource": "people", "options": 1}', ["resource", "options"]),
        (b'{"resource": "item", "options": {"limit": 0}}', ["options.limit"]),
        (b'{"resource": "item", "options": {"limit": true}}', ["options.limit"]),
        (b'{"resource": "item", "csv_field_options": []}', ["csv_field_options"]),
        (
            b'{"resource": "item", "csv_field_options": {"timezone": 1, "datetime_format": 2, "columns": 3}}',
            [f"csv_field_options.{name}" for name in ("timezone", "datetime_format", "columns")],
        ),
    ],
)
def test_invalid_properties_are_named(body: bytes, names: list[str]) -> None:
    """The error contains all of them."""
    with pytest.raises(InvalidParametersError) as error:
        CreateRequest.parse(body)
    assert error.value.names == tuple(names)
