"""Converts the records of a JSON file, block by block, to record batches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from packagex_async._arrow.malformed import MalformedRecordError
from packagex_async._arrow.types import convert_column
from packagex_async._decoders.json_decoder import JsonDecoder
from packagex_async._decoders.json_text import TOO_DEEP
from packagex_async._decoders.row_error import RowError
from packagex_async._utils.json import NumberText

BATCH_SIZE = 1024 * 1024
"""The size in bytes of the part of a file whose records are converted together."""


class JsonArrowDecoder:
    """Converts records that are flat objects to record batches. All values are text unless a type is given.

    Args:
        types: The types of columns. Names of other columns are ignored.
        nested_as_text: Convert arrays and objects in a record to JSON text. Otherwise they are an error.

    Attributes:
        count: The number of records that were converted.
        schema: The columns of all records so far. A record batch has only the columns that were known when it
            was built.
        error: The error of the next record, or `None`. No record is converted after it.
        duplicates: Empty, since JSON has no header.
    """

    def __init__(self, types: Mapping[str, pa.DataType], *, nested_as_text: bool = False) -> None:
        self.count: int = 0
        self.schema: pa.Schema = pa.schema([])
        self.error: RowError | None = None
        self.duplicates: tuple[str, ...] = ()
        self._types = types
        self._nested_as_text = nested_as_text
        self._decoder = JsonDecoder(number_texts=True)
        self._names: dict[str, None] = {}
        self._records: list[Any] = []
        self._size = 0

    @property
    def pending(self) -> int:
        """The number of bytes that are not converted yet."""
        return self._decoder.pending + self._size

    def feed(self, block: bytes, *, final: bool = False) -> list[pa.RecordBatch]:
        """Return the complete records when enough bytes for a batch have arrived.

        The last batch before an error has the records before it.

        Args:
            block: The next bytes of the file.
            final: Whether the file ends with this block.
        """
        if self.error is not None:
            return []
        self._records += self._decoder.feed(block, final=final)
        self._size += len(block)
        self.error = self._decoder.error
        if not self._records or not (final or self.error or self._size >= BATCH_SIZE):
            return []
        records, self._records, self._size = self._records, [], 0
        return self._convert(records)

    def _convert(self, records: list[Any]) -> list[pa.RecordBatch]:
        try:
            names = self._names | self._names_of(records)
            schema = pa.schema([(name, self._types.get(name, pa.string())) for name in names])
            columns = [self._column(field, records) for field in schema]
        except MalformedRecordError as malformed:
            self.error = malformed.error
            valid = (malformed.error.row or 1) - self.count - 1
            # These records may contain another malformed cell, in a column that was not converted.
            return self._convert(records[:valid]) if valid else []
        self._names, self.schema = names, schema
        self.count += len(records)
        if not columns:
            # A record batch of arrays has no rows if there are no arrays.
            return [pa.RecordBatch.from_struct_array(pa.array(records, pa.struct([])))]
        return [pa.RecordBatch.from_arrays(columns, schema=schema)]

    def _names_of(self, records: list[Any]) -> dict[str, None]:
        """Return the names of all fields.

        Raises:
            MalformedRecordError: A record is not an object, or has nested values.
        """
        names: dict[str, None] = {}
        for row, record in enumerate(records, self.count + 1):
            _check(record, row, nested_as_text=self._nested_as_text)
            names |= dict.fromkeys(record)
        return names

    def _column(self, field: pa.Field, records: list[dict[str, Any]]) -> pa.Array:
        first_row = self.count + 1
        cells: list[str | None] = []
        for row, record in enumerate(records, first_row):
            try:
                text = _to_text(record.get(field.name))
            except RecursionError:
                raise MalformedRecordError(TOO_DEEP, row=row, column=field.name) from None
            if text is not None and not _is_encodable(text):
                raise MalformedRecordError("it has a lone surrogate", row=row, column=field.name)
            cells.append(text)
        column = pa.array(cells, pa.string())
        if field.name in self._types:
            return convert_column(column, field.type, field.name, first_row)
        return column


def _check(record: object, row: int, *, nested_as_text: bool) -> None:
    if not isinstance(record, dict):
        raise MalformedRecordError("it is not a JSON object", row=row)
    for name, value in record.items():
        if isinstance(value, (dict, list)) and not nested_as_text:
            kind = "an object" if isinstance(value, dict) else "an array"
            raise MalformedRecordError(f"it is {kind}, and not a single value", row=row, column=name)


def _to_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _to_json(value)


def _to_json(value: Any) -> str:
    """Return the JSON text of a value, with all digits of its numbers."""
    if isinstance(value, dict):
        fields = (f"{_to_json(name)}: {_to_json(field)}" for name, field in value.items())
        return f"{{{', '.join(fields)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_to_json, value))}]"
    return str(value) if isinstance(value, NumberText) else json.dumps(value, ensure_ascii=False)


def _is_encodable(text: str) -> bool:
    # An attempt to encode the text would raise an exception that contains it.
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
