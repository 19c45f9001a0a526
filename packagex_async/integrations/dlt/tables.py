"""Arrow tables with the rows of an export, and the columns that identify them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from packagex_async.integrations.dlt.names import EXPORT_CREATED_AT, EXPORT_ID, EXPORT_ROW
from packagex_async.models import Export

TABLE_SIZE = 8 * 1024 * 1024
"""The number of bytes after which a table ends."""

# dlt expects that the columns of a key have no nulls.
_EXPORT_ID = pa.field(EXPORT_ID, pa.string(), nullable=False)
_EXPORT_ROW = pa.field(EXPORT_ROW, pa.int64(), nullable=False)
_EXPORT_CREATED_AT = pa.field(EXPORT_CREATED_AT, pa.timestamp("us", "UTC"))


class RowTable(NamedTuple):
    """A table, and its position in the export.

    Attributes:
        table: The table.
        end: The number of rows of the export up to the end of the table.
    """

    table: pa.Table
    end: int


def row_tables(
    export: Export, batches: Iterable[pa.RecordBatch], names: Sequence[str], skip: int
) -> Iterator[RowTable]:
    """Yield tables of about 8 MiB with the rows of an export, and the columns that identify them.

    Args:
        export: The export.
        batches: Its rows. A record batch may lack the last columns.
        names: The names for the columns.
        skip: The number of rows at the start to leave out.
    """
    end = 0
    for group in _groups(batches):
        start, end = end, end + sum(batch.num_rows for batch in group)
        if end > skip:
            table = _with_own_columns(export, group, names, start)
            yield RowTable(table.slice(max(skip - start, 0)), end)


def empty_table(export: Export, schema: pa.Schema, names: Sequence[str]) -> pa.Table:
    """Return a table without rows for an artifact that has only a header."""
    return _with_own_columns(export, [pa.RecordBatch.from_pylist([], schema)], names, 0)


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Yield lists of record batches with the same schema."""
    group: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        if group and (size >= TABLE_SIZE or batch.schema != group[0].schema):
            yield group
            group, size = [], 0
        group.append(batch)
        size += batch.nbytes
    if group:
        yield group


def _with_own_columns(
    export: Export, batches: list[pa.RecordBatch], names: Sequence[str], start: int
) -> pa.Table:
    table = pa.Table.from_batches(batches)
    count = sum(batch.num_rows for batch in batches)
    values = {
        # `pa.scalar` imports pandas if it is installed, which takes longer than everything else.
        _EXPORT_ID: pa.repeat(pa.array([export.id], _EXPORT_ID.type)[0], count),
        _EXPORT_ROW: pa.array(range(start + 1, start + count + 1), _EXPORT_ROW.type),
        _EXPORT_CREATED_AT: pa.repeat(pa.array([export.created_at], _EXPORT_CREATED_AT.type)[0], count),
    }
    fields = [field.with_name(name) for field, name in zip(table.schema, names, strict=False)]
    return pa.Table.from_arrays([*table.columns, *values.values()], schema=pa.schema([*fields, *values]))
