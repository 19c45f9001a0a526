"""The CSV parser in Python accepts what a strict `csv.reader` accepts, and stops at incomplete records."""

from __future__ import annotations

import pytest
from hypothesis import given

from packagex_async._decoders.csv_records import TEXT_AFTER_QUOTE, UNCLOSED_QUOTE, Records, parse_records
from tests.unit.decoders.test_csv_decoder import TEXTS, expected


@given(TEXTS)
def test_same_rows_as_standard_library(text: str) -> None:
    """The parser returns the rows of the standard library, up to the first row of another length."""
    rows, is_valid = expected(text)
    records = parse_records(text, final=True)
    assert list(filter(None, records.rows))[: len(rows)] == rows
    if is_valid:
        assert (records.end, records.reason) == (len(text), None)


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ("", Records([], 0)),
        ("a", Records([], 0)),
        ("a,b\n1", Records([["a", "b"]], 4)),
        ("a,b\r", Records([], 0)),
        ("\r", Records([], 0)),
        ("a,b\rc", Records([["a", "b"]], 4)),
        ("a\r\n\n", Records([["a"], []], 4)),
        ('"a"', Records([], 0)),
        ('"a""', Records([], 0)),
        ('"a""b"\n', Records([['a"b']], 7)),
        ('a"b"c\n', Records([['a"b"c']], 6)),
        ("a\n" + '"b"c', Records([["a"]], 2, TEXT_AFTER_QUOTE)),
    ],
)
def test_incomplete_text(text: str, records: Records) -> None:
    """A record is complete after its line break. After a carriage return, it needs one more character."""
    assert parse_records(text, final=False) == records


def test_last_record() -> None:
    """The last record of a file needs no line break, but its quotes must be closed."""
    assert parse_records('a,"b"', final=True) == Records([["a", "b"]], 5)
    assert parse_records("a,", final=True) == Records([["a", ""]], 2)
    assert parse_records('a\n"b', final=True) == Records([["a"]], 2, UNCLOSED_QUOTE)
