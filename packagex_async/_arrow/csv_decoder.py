"""Converts the bytes of a CSV file, block by block, to record batches."""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.csv as pa_csv

from packagex_async._arrow.csv_grammar import complete_size, split_records
from packagex_async._arrow.malformed import MalformedRecordError
from packagex_async._arrow.quote_check import paired_size
from packagex_async._arrow.types import convert_column
from packagex_async._decoders.csv_records import TEXT_AFTER_QUOTE, UNCLOSED_QUOTE
from packagex_async._decoders.header import duplicates, unique_names
from packagex_async._decoders.row_error import NOT_UTF_8, RowError

BLOCK_SIZE = 1024 * 1024
"""The number of bytes that are converted together."""

MAX_RECORD_SIZE = 1024 * 1024 * 1024
"""The maximum number of bytes of one record. Larger arrays of text need other Arrow types."""

_PARSE_OPTIONS = pa_csv.ParseOptions(newlines_in_values=True)


class CsvArrowDecoder:
    """Converts CSV to record batches. All values are text unless a type is given.

    The decoder reads CSV as `csv.reader(strict=True)` does. Each block ends at the end of a record, so that
    no field is divided between two blocks. All methods are blocking.

    Args:
        types: The types of columns. Names of other columns are ignored.

    Attributes:
        count: The number of rows so far.
        schema: The names and types of the columns; empty until the header has arrived.
        error: The error of the next row, or `None`. No row is converted after it.
        duplicates: The names of columns that occur more than once in the header.
    """

    def __init__(self, types: Mapping[str, pa.DataType]) -> None:
        self.count: int = 0
        self.schema: pa.Schema = pa.schema([])
        self.error: RowError | None = None
        self.duplicates: list[str] = []
        self._types = types
        self._rest = b""
        self._next_size = BLOCK_SIZE
        self._is_start = True
        self._new: list[bytes] = []
        self._new_size = 0

    @property
    def pending(self) -> int:
        """The number of bytes that are not converted yet."""
        return len(self._rest) + self._new_size

    def feed(self, block: bytes, *, final: bool = False) -> list[pa.RecordBatch]:
        """Add bytes; return the complete records when enough bytes for a batch have arrived.

        The last batch before an error has the rows before it.

        Args:
            block: The next bytes of the file.
            final: Whether the file ends with this block.
        """
        self._new.append(block)
        self._new_size += len(block)
        if self.error is not None or not (final or self.pending >= self._next_size):
            return []
        return self._convert(is_end=final)

    @property
    def _has_header(self) -> bool:
        return len(self.schema) > 0

    def _convert(self, *, is_end: bool) -> list[pa.RecordBatch]:
        data = b"".join((self._rest, *self._new))
        self._new, self._new_size = [], 0
        if self._is_start:
            data = data.removeprefix(codecs.BOM_UTF8)
            self._is_start = False
        if is_end and data and not data.endswith((b"\n", b"\r")):
            data += b"\n"
        size: int | None = paired_size(data)
        if not size or (is_end and size < len(data)):
            size = complete_size(data)
        is_malformed = size is None or (is_end and size < len(data)) or len(data) > MAX_RECORD_SIZE
        self._rest = data[size or 0 :]
        # A record that is larger than a block is not examined again after every block.
        self._next_size = max(BLOCK_SIZE, 2 * len(self._rest))
        batches = self._convert_records(data[: size or 0])
        if is_malformed and self.error is None:
            self.error = self._error_of_rest()
        return batches

    def _convert_records(self, data: bytes) -> list[pa.RecordBatch]:
        start = 0
        try:
            if not self._has_header:
                start = self._read_header(data)
            records = data[start:]
            batch = self._with_types(self._parse(records, self.schema.names)) if records else None
        except MalformedRecordError as malformed:
            self.error = malformed.error
            valid = (malformed.error.row or 1) - self.count - 1
            if not valid:
                return []
            # These records may contain another malformed cell, in a column that was not converted.
            return self._convert_records(data[start : _end_of_record(data, start, valid)])
        if batch is None or not batch.num_rows:
            return []
        self.count += batch.num_rows
        return [batch]

    def _read_header(self, data: bytes) -> int:
        for fields, end in split_records(data):
            if (names := _decode(fields)) is None:
                raise MalformedRecordError(f"header: {NOT_UTF_8}")
            self.duplicates = duplicates(names)
            self.schema = pa.schema(
                [(name, self._types.get(name, pa.string())) for name in unique_names(names)]
            )
            return end
        return len(data)

    def _parse(self, data: bytes, names: list[str]) -> pa.RecordBatch:
        # pyarrow removes a byte order mark from the start of each block, where it is text.
        if not data.startswith(codecs.BOM_UTF8):
            try:
                return _parse_with_pyarrow(data, names)
            except pa.ArrowInvalid:
                pass  # The message of pyarrow contains the record.
        return self._parse_records(data, names)

    def _parse_records(self, data: bytes, names: list[str]) -> pa.RecordBatch:
        """Parse a block that pyarrow does not accept, in Python."""
        columns: list[list[str]] = [[] for _ in names]
        for row, (fields, _) in enumerate(split_records(data), self.count + 1):
            if len(fields) != len(names):
                cells = "1 cell" if len(fields) == 1 else f"{len(fields)} cells"
                raise MalformedRecordError(f"it has {cells}, and the header has {len(names)}", row=row)
            if (texts := _decode(fields)) is None:
                raise MalformedRecordError(NOT_UTF_8, row=row)
            for text, column in zip(texts, columns, strict=True):
                column.append(text)
        return pa.RecordBatch.from_arrays([pa.array(column, pa.string()) for column in columns], names)

    def _with_types(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if not self._types:
            return batch
        arrays = [
            convert_column(column, field.type, field.name, self.count + 1)
            if field.name in self._types
            else column
            for column, field in zip(batch.columns, self.schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _error_of_rest(self) -> RowError:
        if len(self._rest) > MAX_RECORD_SIZE:
            reason = f"it has more than {MAX_RECORD_SIZE} bytes"
        elif complete_size(self._rest) is None:
            reason = TEXT_AFTER_QUOTE
        else:
            reason = UNCLOSED_QUOTE
        if self._has_header:
            return RowError(self.count + 1, reason)
        return RowError(None, f"header: {reason}")


def _end_of_record(data: bytes, start: int, number: int) -> int:
    """Return the position in `data` after this many records, which begin at `start`."""
    (_, end), *_ = itertools.islice(split_records(data, start), number - 1, number)
    return end


def _decode(fields: list[bytes]) -> list[str] | None:
    # The exception contains the record, so it is not raised again.
    try:
        return [field.decode() for field in fields]
    except UnicodeDecodeError:
        return None


def _parse_with_pyarrow(data: bytes, names: list[str]) -> pa.RecordBatch:
    table = pa_csv.read_csv(
        pa.BufferReader(data),
        # One block, because pyarrow loses a byte if a line break in a field lies between two blocks.
        read_options=pa_csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
        parse_options=_PARSE_OPTIONS,
        convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    batches = table.to_batches()
    return (
        batches[0]
        if batches
        else pa.RecordBatch.from_arrays([pa.nulls(0, pa.string()) for _ in names], names)
    )
