"""The decoder for each artifact, and tables of its record batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import pyarrow as pa

from packagex_async._arrow.csv_decoder import CsvArrowDecoder
from packagex_async._arrow.json_decoder import JsonArrowDecoder
from packagex_async._rows.block_decoder import RowDecoder
from packagex_async.errors import ConfigurationError
from packagex_async.models import Artifact


class ArrowDecoder(RowDecoder, Protocol):
    """Converts a file to record batches, block by block; see `CsvArrowDecoder` and `JsonArrowDecoder`."""

    schema: pa.Schema


def new_decoder(
    artifact: Artifact, types: Mapping[str, pa.DataType], *, nested_as_text: bool = False
) -> ArrowDecoder:
    """Return a decoder for the rows of an artifact; see `JsonArrowDecoder` for `nested_as_text`."""
    if artifact is Artifact.JSON:
        return JsonArrowDecoder(types, nested_as_text=nested_as_text)
    return CsvArrowDecoder(types)


def check_columns(schema: pa.Schema, types: Mapping[str, pa.DataType]) -> None:
    """Check that each column with a type exists. A file without a header, or without records, is accepted.

    Raises:
        ConfigurationError: A column does not exist.
    """
    if missing := [name for name in types if name not in schema.names] if schema.names else []:
        names = ", ".join(map(repr, missing))
        raise ConfigurationError(f"types: the artifact has no column {names}")


def to_table(batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """Return a table with all columns of `schema`. A record batch may lack the last of them."""
    if not schema.names:
        # `concat_tables` drops rows without columns.
        return pa.Table.from_batches(batches, schema)
    tables = [pa.Table.from_batches([], schema), *(pa.Table.from_batches([batch]) for batch in batches)]
    return pa.concat_tables(tables, promote_options="default")
