"""Decoders by artifact, and tables of record batches."""

from __future__ import annotations

import pyarrow as pa
import pytest

from packagex_async._arrow.csv_decoder import CsvArrowDecoder
from packagex_async._arrow.decoders import check_columns, new_decoder, to_table
from packagex_async._arrow.json_decoder import JsonArrowDecoder
from packagex_async.errors import ConfigurationError
from packagex_async.models import Artifact


def test_decoder_of_an_artifact() -> None:
    """The JSON artifact has the JSON decoder, and all others have the CSV decoder."""
    kinds = {artifact: type(new_decoder(artifact, {})) for artifact in Artifact}
    assert kinds.pop(Artifact.JSON) is JsonArrowDecoder
    assert set(kinds.values()) == {CsvArrowDecoder}


def test_missing_columns() -> None:
    """A file without columns is accepted; any other file must have each column with a type."""
    types = {"a": pa.int8(), "b": pa.int8()}
    check_columns(pa.schema([]), types)
    check_columns(pa.schema([("a", pa.int8()), ("b", pa.int8())]), types)
    with pytest.raises(ConfigurationError, match="types: the artifact has no column 'b'"):
        check_columns(pa.schema([("a", pa.int8())]), types)


def test_table_of_batches_with_different_columns() -> None:
    """Cells of columns that a batch lacks are null."""
    schema = pa.schema([("a", pa.string()), ("b", pa.string())])
    batches = [pa.RecordBatch.from_pydict({"a": ["1"]}), pa.RecordBatch.from_pydict({"a": ["2"], "b": ["3"]})]
    assert to_table(batches, schema).to_pydict() == {"a": ["1", "2"], "b": [None, "3"]}
