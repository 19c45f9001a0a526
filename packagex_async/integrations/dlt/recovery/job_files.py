"""The rows in the file of a load job."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

import pyarrow as pa
from dlt.common.storages import FileStorage
from pyarrow import csv, parquet

# A file with other literals, such as calls of functions, has a different number of matches than columns.
_LITERAL = re.compile(r"[A-Z]?'(?:''|\\.|[^'\\])*'|[^\s',();]+")
_ID_LITERAL = re.compile(r"[A-Z]?'([\w.+/-]+)'")


class ExportRows(NamedTuple):
    """Rows of an export in a file.

    Attributes:
        export_id: The id of the export.
        first: The number of its first row in the file.
        last: The number of its last row in the file.
        total: The number of its rows in the file.
    """

    export_id: str
    first: int
    last: int
    total: int


def read_export_rows(path: str, file_format: str, names: tuple[str, str]) -> list[ExportRows]:
    """Return the rows of exports that are in the file of a load job.

    Args:
        path: The path of the file.
        file_format: The format, as in the name of the file.
        names: The names of the columns of the key in the file.

    Raises:
        ValueError: The format is unknown, or the file does not have the content of a table of exports.
        OSError: The file cannot be read.
    """
    schema = pa.schema({"id": pa.string(), "row": pa.int64()})
    keys = read_columns(path, file_format, names).rename_columns(schema.names).cast(schema)
    groups = keys.group_by("id").aggregate([("row", each) for each in ("min", "max", "count_distinct")])
    columns = ["id", "row_min", "row_max", "row_count_distinct"]
    return [ExportRows(*row.values()) for row in groups.select(columns).to_pylist()]


def read_columns(path: str, file_format: str, names: Sequence[str]) -> pa.Table:
    """Return columns with ids or integers from the file of a load job. In CSV, integers are text.

    Raises:
        ValueError: The format is unknown, or the file does not have these columns.
        OSError: The file cannot be read.
    """
    if file_format == "parquet":
        return parquet.read_table(path, columns=list(names)).select(names)
    if file_format not in _READERS:
        raise ValueError(f"files of the format {file_format} are not supported")
    with FileStorage.open_zipsafe_ro(path, "rb") as file:
        return _READERS[file_format](file, names)


def _read_csv(file: BinaryIO, names: Sequence[str]) -> pa.Table:
    options = {
        "parse_options": csv.ParseOptions(newlines_in_values=True),
        "convert_options": csv.ConvertOptions(
            include_columns=list(names), column_types=dict.fromkeys(names, pa.string())
        ),
    }
    return csv.read_csv(file, **options)


def _read_jsonl(file: BinaryIO, names: Sequence[str]) -> pa.Table:
    rows = map(json.loads, file)
    return _table(names, [[row.get(name) for name in names] for row in rows])


def _read_insert_values(file: BinaryIO, names: Sequence[str]) -> pa.Table:
    """Return columns of an `INSERT` statement, which has a line for each row."""
    columns = re.findall(r"\w+", next(file).decode().partition("(")[2])
    indexes = [columns.index(name) for name in names]
    rows: list[list[str | int]] = []
    for line in itertools.islice(file, 1, None):
        literals = _LITERAL.findall(line.decode())
        if len(literals) != len(columns):
            raise ValueError("a line does not have a literal for each column")
        rows.append([_value(literals[index]) for index in indexes])
    return _table(names, rows)


def _value(literal: str) -> str | int:
    match = _ID_LITERAL.fullmatch(literal)
    return match[1] if match else int(literal)


def _table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> pa.Table:
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=bool(rows))))


_READERS = {"csv": _read_csv, "insert_values": _read_insert_values, "jsonl": _read_jsonl}
