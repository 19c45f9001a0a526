"""The grammar of CSV: complete records, and their fields."""

from __future__ import annotations

import pytest

from packagex_async._arrow.csv_grammar import complete_size, split_records


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"", 0),
        (b"a,b", 0),
        (b"a,b\nc", 4),
        (b'"a\n', 0),
        (b'"a"', 0),
        (b'"a""', 0),
        (b'"a\n"\nb', 5),
        (b'5" pipe\nb', 8),
        (b'a\n"b"c\n', 2),
        (b'"b"c\n', None),
        (b'a,"b"c', None),
    ],
)
def test_complete_size(data: bytes, size: int | None) -> None:
    """The size ends after the last complete record, and is `None` if the first record is malformed."""
    assert complete_size(data) == size


def test_split_records() -> None:
    """Quotes are removed, and blank lines are skipped."""
    data = b'a,"b ""c""\r\n"\r\n\r\n\n"",5" pipe\r"x"y\n'
    records = list(split_records(data))
    assert [fields for fields, _ in records] == [[b"a", b'b "c"\r\n'], [b"", b'5" pipe']]
    assert data[records[-1][1] :] == b'"x"y\n'
