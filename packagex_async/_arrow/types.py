"""The types of columns: their names, and the conversion of text to them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from packagex_async._arrow.malformed import MalformedRecordError
from packagex_async.errors import ConfigurationError

_PARAMETRIC = (
    r"(decimal(?:32|64|128|256))\(\s*(\d{1,3})\s*(?:,\s*(-?\d{1,3})\s*)?\)"
    r"|(timestamp)\[(s|ms|us|ns)(?:,\s*(?:tz=)?([\w/+:-]+)\s*)?\]"
)


# `pa.scalar` imports pandas if it is installed, which takes longer than everything else.
_NULL = pa.nulls(1, pa.string())[0]
_EMPTY = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(bytes(8)), pa.py_buffer(b"")])[0]


def parse_types(types: Mapping[str, object] | None) -> dict[str, pa.DataType]:
    """Return the types of columns, given as the `types` parameter of a public method.

    Raises:
        ConfigurationError: A type is unknown, or text cannot be converted to it.
    """
    if types is None:
        return {}
    if not isinstance(types, Mapping) or not all(isinstance(name, str) for name in types):
        raise ConfigurationError('types must map names of columns to types, such as {"weight": "int64"}')
    return {name: _parse_type(name, given) for name, given in types.items()}


def _parse_type(column: str, given: object) -> pa.DataType:
    data_type = given if isinstance(given, pa.DataType) else _type_by_name(given)
    if data_type is None:
        raise ConfigurationError(
            f"the type of column {column!r} must be a pyarrow.DataType or its name, such as 'int64', "
            f"'float64', 'bool', 'date32', 'timestamp[us]' or 'decimal128(10, 2)', not {given!r}"
        )
    # pyarrow raises a `NotImplementedError` for most types that text cannot be converted to.
    try:
        pa.nulls(0, pa.string()).cast(data_type)
    except (pa.ArrowException, NotImplementedError) as error:
        raise ConfigurationError(
            f"column {column!r} cannot have the type {data_type}: text cannot be converted to it"
        ) from error
    return data_type


def _type_by_name(name: object) -> pa.DataType | None:
    if not isinstance(name, str):
        return None
    try:
        if (match := re.fullmatch(_PARAMETRIC, name.strip())) is None:
            return pa.type_for_alias(name.strip())
        decimal, precision, scale, _, unit, zone = match.groups()
        if decimal:
            return getattr(pa, decimal)(int(precision), int(scale or 0))
        return pa.timestamp(unit, zone)
    except (ValueError, AttributeError, OverflowError):
        return None


def convert_column(text: pa.StringArray, data_type: pa.DataType, name: str, first_row: int) -> pa.Array:
    """Convert cells to a type. An empty cell becomes null.

    Args:
        text: The cells.
        data_type: The type.
        name: The name of the column.
        first_row: The number of the row of the first cell, from 1.

    Raises:
        MalformedRecordError: A cell cannot be converted.
    """
    cells = text if _is_text(data_type) else _with_nulls(text)
    try:
        return pc.cast(cells, data_type)
    except pa.ArrowException:
        row = first_row + _first_failure(cells, data_type)
    # The error of pyarrow is not chained, because its message contains the cell.
    raise MalformedRecordError(f"it is not a value of {data_type}", row=row, column=name)


def _with_nulls(text: pa.StringArray) -> pa.StringArray:
    """Return the cells with null instead of empty ones."""
    is_empty = pc.call_function("equal", [text, _EMPTY])
    return pc.call_function("if_else", [is_empty, _NULL, text])


def _first_failure(cells: pa.StringArray, data_type: pa.DataType) -> int:
    """Return the index of the first cell that cannot be converted. `cells` contains such a cell."""
    start, end = 0, len(cells)
    while end - start > 1:
        middle = (start + end) // 2
        try:
            pc.cast(cells.slice(start, middle - start), data_type)
            start = middle
        except pa.ArrowException:
            end = middle
    return start


def _is_text(data_type: pa.DataType) -> bool:
    types = pa.types
    return any(
        is_type(data_type)
        for is_type in (
            types.is_string,
            types.is_large_string,
            types.is_string_view,
            types.is_binary,
            types.is_large_binary,
            types.is_binary_view,
        )
    )
