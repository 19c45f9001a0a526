"""The rows in the file of a load job."""

from __future__ import annotations

import itertools
import re
from typing import NamedTuple

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from dlt.common.storages import FileStorage

from packagex_async.integrations.dlt.names import EXPORT_ID, EXPORT_ROW

_SCHEMA = pa.schema({EXPORT_ID: pa.string(), EXPORT_ROW: pa.int64()})

# A file with other literals, such as calls of functions, has a different number of matches than columns.
_LITERAL = re.compile(r"[A-Z]?'(?:''|\\.|[^'\\])*'|[^\s',();]+")
_ID_LITERAL = re.compile(r"[A-Z]?'([\w.-]+)'")


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
    """Return the rows that are in the file of a load job.

    Args:
        path: The path of the file.
        file_format: The format, as in the name of the file.
        names: The names of the columns of the key in the file.

    Raises:
        ValueError: The format is unknown, or the file does not have the content of a table of exports.
        OSError: The file cannot be read.
    """
    if file_format == "parquet":
        keys = pa.parquet.read_table(path, columns=list(names))
    elif file_format == "csv":
        keys = _read_csv(path, names)
    elif file_format == "insert_values":
        keys = _read_insert_values(path, names)
    else:
        raise ValueError(f"files of the format {file_format} are not supported")
    aggregates = [(EXPORT_ROW, function) for function in ("min", "max", "count_distinct")]
    groups = keys.rename_columns(_SCHEMA.names).cast(_SCHEMA).group_by(EXPORT_ID).aggregate(aggregates)
    columns = [EXPORT_ID, *(f"{EXPORT_ROW}_{function}" for _, function in aggregates)]
    return [ExportRows(*row.values()) for row in groups.select(columns).to_pylist()]


def _read_csv(path: str, names: tuple[str, str]) -> pa.Table:
    with FileStorage.open_zipsafe_ro(path, "rb") as file:
        return pa.csv.read_csv(
            file,
            parse_options=pa.csv.ParseOptions(newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                include_columns=list(names), column_types=dict(zip(names, _SCHEMA.types, strict=True))
            ),
        )


def _read_insert_values(path: str, names: tuple[str, str]) -> pa.Table:
    """Return the keys in a file with an `INSERT` statement, which has a line for each row."""
    export_ids: list[str] = []
    rows: list[int] = []
    with FileStorage.open_zipsafe_ro(path, "r", encoding="utf-8") as file:
        columns = re.findall(r"\w+", next(file).partition("(")[2])
        id_index, row_index = map(columns.index, names)
        for line in itertools.islice(file, 1, None):
            literals = _LITERAL.findall(line)
            if len(literals) != len(columns) or not (match := _ID_LITERAL.fullmatch(literals[id_index])):
                raise ValueError("a line does not have a literal for each column")
            export_ids.append(match[1])
            rows.append(int(literals[row_index]))
    return pa.table([export_ids, rows], _SCHEMA)
