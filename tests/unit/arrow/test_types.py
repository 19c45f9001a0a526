"""The types of columns: names, and the conversion of text."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from packagex_async._arrow.malformed import MalformedRecordError
from packagex_async._arrow.types import convert_column, parse_types
from packagex_async.errors import ConfigurationError


@pytest.mark.parametrize(
    ("given", "expected", "cell", "value"),
    [
        ("int64", pa.int64(), "-5", -5),
        (" float64 ", pa.float64(), "1.5", 1.5),
        ("bool", pa.bool_(), "true", True),
        ("string", pa.string(), "NA", "NA"),
        ("date32", pa.date32(), "2024-05-01", datetime.date(2024, 5, 1)),
        ("timestamp[us]", pa.timestamp("us"), "2024-05-01 10:00", datetime.datetime(2024, 5, 1, 10)),
        ("decimal128(10, 2)", pa.decimal128(10, 2), "1.5", Decimal("1.50")),
        ("decimal128(5)", pa.decimal128(5), "7", Decimal(7)),
        (pa.int8(), pa.int8(), "7", 7),
    ],
)
def test_type(given: Any, expected: pa.DataType, cell: str, value: object) -> None:
    """A type is given as a `pyarrow.DataType` or by its name. An empty cell is null, except in text."""
    (data_type,) = parse_types({"a": given}).values()
    assert data_type == expected
    column = convert_column(pa.array([cell, ""], pa.string()), data_type, "a", 1)
    assert column.to_pylist() == [value, "" if expected == pa.string() else None]


@pytest.mark.parametrize("name", ["string", "large_string", "string_view", "binary", "large_binary"])
def test_empty_text(name: str) -> None:
    """An empty cell stays empty in every type of text."""
    (data_type,) = parse_types({"a": name}).values()
    column = convert_column(pa.array([""], pa.string()), data_type, "a", 1)
    assert column.cast(pa.string()).to_pylist() == [""]


def test_time_zone() -> None:
    """A timestamp may have a time zone."""
    assert parse_types({"a": "timestamp[ms, tz=UTC]"}) == {"a": pa.timestamp("ms", "UTC")}


@pytest.mark.parametrize(
    "given", ["int65", "", 5, None, "decimal128(99, 2)", "decimal512(1)", "timestamp[h]"]
)
def test_unknown_type(given: Any) -> None:
    """The error names the column."""
    with pytest.raises(ConfigurationError, match="the type of column 'a' must be"):
        parse_types({"a": given})


@pytest.mark.parametrize("given", [["a"], {1: "int8"}, "int8"])
def test_types_are_a_mapping(given: Any) -> None:
    """The keys of `types` must be names of columns."""
    with pytest.raises(ConfigurationError, match="types must map names"):
        parse_types(given)
    assert parse_types(None) == {}


def test_type_without_conversion() -> None:
    """A type to which text cannot be converted, such as a list, raises an error."""
    with pytest.raises(ConfigurationError, match="text cannot be converted"):
        parse_types({"a": pa.list_(pa.int8())})


@pytest.mark.parametrize("place", range(7))
def test_cell_of_another_type(place: int) -> None:
    """The error has the number of the row, and no contents."""
    cells = ["1"] * place + ["SECRET"] + ["2"] * (6 - place)
    with pytest.raises(MalformedRecordError) as caught:
        convert_column(pa.array(cells, pa.string()), pa.int64(), "a", 11)
    assert caught.value.error == (11 + place, "it is not a value of int64", "a")
    assert caught.value.__context__ is None
