"""CSV becomes record batches with the rows of the `csv` module, for any content and any blocks."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packagex_async._arrow import csv_decoder
from packagex_async._arrow.csv_decoder import CsvArrowDecoder
from tests.support import examples

Rows = list[list[str]]
Result = tuple[list[str] | int | None, Rows]
"""The header, or the number of the malformed row, and the rows before it."""

PIECES = st.sampled_from([
    ",", '"', '""', "\r", "\n", "\r\n", "a", '5" pipe', "\0", " ", "NA", "null", "\ufeff", "é", "\u2028",
    "x" * 30, '",', ',"', '"\n', '\n"',
])  # fmt: skip
CELLS = st.lists(st.sampled_from(["a", ",", '"', "\r\n", "\n", "\r", "é", "", '5" ']), max_size=5).map(
    "".join
)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=8)
)
BLOCKS = st.sampled_from([3, 5, 8, 16, 64])


def read(content: bytes) -> Result:
    """Return the result of the `csv` module."""
    lines = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    header: list[str] = []
    rows: Rows = []
    try:
        for row in csv.reader(lines, strict=True):
            if not row:
                continue
            if header and len(row) != len(header):
                return len(rows) + 1, rows
            if header:
                rows.append(row)
            header = header or row
    except csv.Error:
        return len(rows) + 1 if header else None, rows
    return header, rows


def decode(content: bytes, cuts: Iterable[int] = (), **types: pa.DataType) -> CsvArrowDecoder:
    """Feed `content` to a decoder in pieces that end at `cuts`; store the rows in `decoder.batches`."""
    decoder = CsvArrowDecoder(types)
    batches: list[pa.RecordBatch] = []
    start = 0
    for end in (*sorted(cuts), len(content)):
        batches += decoder.feed(content[start:end])
        start = end
    batches += decoder.feed(b"", final=True)
    decoder.batches = batches  # type: ignore[attr-defined]
    return decoder


def result(decoder: CsvArrowDecoder) -> Result:
    columns = pa.Table.from_batches(decoder.batches, decoder.schema).to_pydict()  # type: ignore[attr-defined]
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    assert decoder.count == len(rows)
    return list(columns) if decoder.error is None else decoder.error.row, rows


def assert_same(found: Result, expected: Result) -> None:
    """Compare two results without the names, because the decoder changes duplicate names."""
    assert found[1] == expected[1]
    if isinstance(found[0], list) and isinstance(expected[0], list):
        assert len(found[0]) == len(expected[0])
    else:
        assert found[0] == expected[0]


@settings(max_examples=examples(200))
@given(st.lists(PIECES, max_size=40).map("".join), st.sets(st.integers(0, 200), max_size=8), BLOCKS)
def test_any_text(text: str, cuts: set[int], block: int) -> None:
    """The decoder finds the rows of the standard library, and the same first malformed row."""
    content = text.encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_decoder, "BLOCK_SIZE", block)
        found = result(decode(content, cuts))
    assert_same(found, read(content))


@settings(max_examples=examples(100))
@given(
    TABLES,
    st.sets(st.integers(0, 400), max_size=8),
    BLOCKS,
    st.sampled_from(["\r\n", "\n", "\r"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_any_table(table: Rows, cuts: set[int], block: int, line_end: str, quoting: int) -> None:
    """The decoder reads all cells of tables that the standard library has written."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end, quoting=quoting).writerows(table)  # type: ignore[arg-type]
    content = text.getvalue().encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_decoder, "BLOCK_SIZE", block)
        found = result(decode(content, cuts))
    assert_same(found, read(content))


def test_long_cells() -> None:
    """Cells may be longer than a block, and longer than the limit of the `csv` module."""
    cells = ["x" * 200_000, 'y"\r\n' * 100_000]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["one", "two"], cells, ["a", '5" pipe']])
    content = text.getvalue().encode().replace(b'"5"" pipe"', b'5" pipe')
    found = result(decode(content, range(0, len(content), 50_000)))
    assert found == (["one", "two"], [cells, ["a", '5" pipe']])


def test_record_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record with an unclosed quote does not use unlimited memory."""
    monkeypatch.setattr(csv_decoder, "MAX_RECORD_SIZE", 100)
    monkeypatch.setattr(csv_decoder, "BLOCK_SIZE", 16)
    decoder = decode(b'id\n1\n"' + b"x" * 500, range(0, 500, 10))
    assert decoder.error is not None
    assert (decoder.error.row, decoder.error.reason) == (2, "it has more than 100 bytes")
    assert decoder.feed(b"more") == []


@pytest.mark.parametrize(
    ("content", "row", "reason"),
    [
        (b"id\n\xff\n", 1, "it is not text in UTF-8"),
        (b"\xff\n1\n", None, "header: it is not text in UTF-8"),
        (b'"id\n1\n', None, "header: a quoted cell is not closed before the end of the file"),
        (b'id\n"1"2\n', 1, "a quoted cell is followed by text instead of a comma or the end of the line"),
        (b'id\n1\n"2', 2, "a quoted cell is not closed before the end of the file"),
        (b"id\n1,2\n", 1, "it has 2 cells, and the header has 1"),
        (b"id,a\n1\n", 1, "it has 1 cell, and the header has 2"),
    ],
)
def test_malformed_record(content: bytes, row: int | None, reason: str) -> None:
    """The error has the number of the row, and no contents."""
    decoder = decode(content)
    assert decoder.error is not None
    assert (decoder.error.row, decoder.error.reason) == (row, reason)


def test_first_of_several_malformed_rows() -> None:
    """Each column has one, and a row has too few cells. The rows before the first of them are converted."""
    content = b"a,b\n1,1\n\n2,2\n3,x\n4,4\ny,5\n6\n"
    decoder = decode(content, a=pa.int8(), b=pa.int16())
    assert decoder.error is not None
    assert (decoder.error.row, decoder.error.column) == (3, "b")
    assert [row for batch in decoder.batches for row in batch.to_pylist()] == [  # type: ignore[attr-defined]
        {"a": 1, "b": 1},
        {"a": 2, "b": 2},
    ]


def test_byte_order_mark_in_a_later_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte order mark after the start of the file is text."""
    monkeypatch.setattr(csv_decoder, "BLOCK_SIZE", 4)
    content = "\ufeffid\n1\n\ufeff2\n".encode()
    assert result(decode(content, range(len(content)))) == (["id"], [["1"], ["\ufeff2"]])


def test_types_and_duplicates() -> None:
    """Only the named columns are converted; the second of two equal names gets a number."""
    decoder = decode(b"id,id,n\n01,02,3\n", id=pa.int8(), n=pa.float32())
    assert result(decoder) == (["id", "id_2", "n"], [[1, "02", 3.0]])
    assert decoder.duplicates == ["id"]
    assert decoder.pending == 0


def test_blank_lines_after_the_header() -> None:
    """They are no rows."""
    decoder = decode(b"\r\nid\r\n\r\n\n\r")
    assert result(decoder) == (["id"], [])
    assert decoder.error is None
