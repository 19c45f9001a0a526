"""CSV files are decoded as the standard library decodes them, whatever the size of the blocks."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async._decoders import csv_decoder
from packagex_async._decoders.csv_decoder import CsvDecoder, CsvDictDecoder
from packagex_async._decoders.csv_records import TEXT_AFTER_QUOTE, UNCLOSED_QUOTE
from packagex_async._decoders.row_error import NOT_UTF_8, RowError
from tests.unit.decoders.blocks import SIZES, decode

PIECES = (
    'a', 'bc', ',', ',', ',', '"', '"', '""', '\n', '\r\n', '\r', '"\n', '\n"', '",', ',"', '","', ' ', '\0',
    'é', '€', '😀', '\u2028', '\x0b', '\x85', '5" pipe',
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
NO_LIMIT = 2**31 - 1


@pytest.fixture
def _restored_limit() -> Iterator[None]:
    limit = csv.field_size_limit()
    yield
    csv.field_size_limit(limit)


def expected(text: str) -> tuple[list[list[str]], bool]:
    """Return the rows of the standard library, without blank lines, and whether all rows are valid.

    The header is a row. The list ends before the first row of another length.
    """
    rows: list[list[str]] = []
    try:
        rows.extend(row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row)
        is_valid = True
    except csv.Error:
        is_valid = False
    valid = next((place for place, row in enumerate(rows) if len(row) != len(rows[0])), len(rows))
    return rows[:valid], is_valid and valid == len(rows)


@pytest.mark.usefixtures("_restored_limit")
@given(text=TEXTS, sizes=SIZES, limit=st.sampled_from([3, 10, 131_072]), mark=st.booleans())
def test_no_cell_differs_from_standard_library(text: str, sizes: list[int], limit: int, mark: bool) -> None:
    """Cells are those of the standard library, also above the length limit of the process."""
    csv.field_size_limit(NO_LIMIT)
    rows, is_valid = expected(text)
    csv.field_size_limit(limit)
    decoder = CsvDecoder()
    decoded = decode(decoder, text.encode("utf-8-sig" if mark else "utf-8"), sizes)
    assert ([decoder.header, *decoded] if decoder.header else decoded) == rows
    assert (decoder.error is None) == is_valid
    assert csv.field_size_limit() == limit


@given(st.lists(st.lists(st.text("a\"',\r\né", max_size=8), min_size=2, max_size=2)), SIZES)
def test_written_rows_are_read(rows: list[list[str]], sizes: list[int]) -> None:
    """The rows of `csv.writer` arrive unchanged."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["id", "name"], *rows])
    decoder = CsvDictDecoder()
    assert decode(decoder, text.getvalue().encode(), sizes) == [{"id": a, "name": b} for a, b in rows]
    assert decoder.error is None


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"", []),
        (b"\xef\xbb\xbf", []),
        (b"\n\r\n\r", []),
        (b"id,name", []),
        (b"id,name\n", []),
        (b"\n\nid,name\n\n1,2\n\n\n3,4", [("1", "2"), ("3", "4")]),
        (b"\xef\xbb\xbfid,name\r\n1,2\r\n", [("1", "2")]),
        (b"id,name\r1,2\r3,4\r", [("1", "2"), ("3", "4")]),
        (b'id,name\r\n"1\r\n1","2\r2"\r\n', [("1\r\n1", "2\r2")]),
        (b'id,name\n5" pipe,6" pipe\n3" pipe,x\n', [('5" pipe', '6" pipe'), ('3" pipe', "x")]),
        (b'id,name\n5" pipe,"x\ny"\n', [('5" pipe', "x\ny")]),
        (b"id,name\n\0,\x1c\n", [("\0", "\x1c")]),
        ("id,name\n\N{LINE SEPARATOR},😀\n".encode(), [("\N{LINE SEPARATOR}", "😀")]),
        (b'id,name\n"",\n', [("", "")]),
        (b"id,name\n'=1+1,NA\n", [("'=1+1", "NA")]),
    ],
)
def test_trap_04_dialects(content: bytes, rows: list[tuple[str, str]], size: int) -> None:
    """Blank lines are skipped. All cells are strings, and line breaks in cells are kept."""
    decoder = CsvDictDecoder()
    assert decode(decoder, content, [size]) == [{"id": id_, "name": name} for id_, name in rows]
    assert decoder.error is None
    assert decoder.header in (None, ["id", "name"])


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("content", "count", "error"),
    [
        (b"id,name\n1,2\n\n3\n4,5\n", 1, RowError(2, "it has 1 cell, and the header has 2")),
        (b"id,name\n1,2,3\n", 0, RowError(1, "it has 3 cells, and the header has 2")),
        (b'id,name\n1,2\n3,"4\n', 1, RowError(2, UNCLOSED_QUOTE)),
        (b'id,name\n1,2\n3,"4"5\n', 1, RowError(2, TEXT_AFTER_QUOTE)),
        (b'id,"name\n', 0, RowError(None, f"header: {UNCLOSED_QUOTE}")),
        (b"id,name\n1,2\n3,\xe9\n5,6\n", 1, RowError(2, NOT_UTF_8)),
        (b"id,name\n1,2\n3,\xe2\x82", 1, RowError(2, NOT_UTF_8)),
        (b"\xff\xfei\0d\0", 0, RowError(None, f"header: {NOT_UTF_8}")),
        (b"id,name\n1\n\xe9", 0, RowError(1, "it has 1 cell, and the header has 2")),
    ],
)
def test_trap_03_malformed_rows(content: bytes, count: int, error: RowError, size: int) -> None:
    """The rows before the error are yielded. The reason has numbers, but no contents."""
    decoder = CsvDecoder()
    assert len(decode(decoder, content, [size])) == count
    assert decoder.error == error
    assert decoder.feed(b"7,8\n") == []


def test_trap_04_cell_above_limit() -> None:
    """A cell of more than 131,072 characters is exact, and the limit of the process is not changed."""
    cell = 'x"\n' * 100_000
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["id", "name"], ["1", "a"], ["2", cell], ["3", "b"]])
    decoder = CsvDecoder()
    assert decode(decoder, text.getvalue().encode(), [65_536]) == [["1", "a"], ["2", cell], ["3", "b"]]
    assert csv.field_size_limit() == 131_072


def test_time_is_linear_in_size_of_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that is much larger than a block is not parsed again with every block."""
    parsed = 0
    parse = csv_decoder._parse

    def counting_parse(text: str, *, final: bool) -> object:
        nonlocal parsed
        parsed += len(text)
        return parse(text, final=final)

    monkeypatch.setattr(csv_decoder, "_parse", counting_parse)
    content = b'id\n"' + b"x\n" * 50_000 + b'"\n'
    (row,) = decode(CsvDecoder(), content, [100])
    assert row == ["x\n" * 50_000]
    assert parsed < 4 * len(content)


def test_duplicate_columns() -> None:
    """All names of columns are different, and `duplicates` has the repeated names."""
    decoder = CsvDictDecoder()
    assert decode(decoder, b"a,b,a\n1,2,3\n") == [{"a": "1", "b": "2", "a_2": "3"}]
    assert (decoder.header, decoder.duplicates) == (["a", "b", "a"], ["a"])


def test_pending_text() -> None:
    """`pending` counts the text that is not decoded yet."""
    decoder = CsvDecoder()
    decoder.feed(b'id\n1\n"2')
    assert decoder.pending == 2
    decoder.feed(b'"\n')
    assert decoder.pending == 0


def test_many_quotes_before_the_end_of_a_record() -> None:
    """The search for the end of a record is limited; after that, the other parser finds the end."""
    content = "id\n" + '5" pipe\n' * 199 + '"x\n'
    decoder = CsvDecoder()
    assert len(decoder.feed(content.encode())) == 199
    assert decoder.feed(b'"\n') == [["x\n"]]
