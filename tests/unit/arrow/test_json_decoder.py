"""JSON becomes record batches with a growing number of columns."""

from __future__ import annotations

import sys
from decimal import Decimal

import pyarrow as pa
import pytest

from packagex_async._arrow import json_decoder
from packagex_async._arrow.decoders import to_table
from packagex_async._arrow.json_decoder import JsonArrowDecoder


def test_columns_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record batch has the columns of all records so far."""
    monkeypatch.setattr(json_decoder, "BATCH_SIZE", 10)
    decoder = JsonArrowDecoder({})
    first = decoder.feed(b'[{"a":1},{"a":"x"},')
    assert decoder.feed(b'{"b"') == []
    assert decoder.pending > 0
    last = decoder.feed(b":null}]", final=True)
    rows = [row for batch in [*first, *last] for row in batch.to_pylist()]
    assert rows == [{"a": "1"}, {"a": "x"}, {"a": None, "b": None}]
    assert decoder.schema.names == ["a", "b"]


NUMBERS = "1.10", "12345678901234567.12", "123456789012345678901234567890", "1e400", "-0", "0.5E+2"


@pytest.mark.parametrize("separator", [",", "\n"])
def test_numbers_keep_their_digits(separator: str) -> None:
    """The text of a number is the text in the file, whether records are decoded one by one or together."""
    records = [f'{{"a": {number}, "b": "x"}}' for number in NUMBERS * 2000]
    text = separator.join(records)
    content = (f"[{text}]" if separator == "," else text).encode()
    decoder = JsonArrowDecoder({})
    batches = [
        batch
        for start in range(0, len(content), 50_000)
        for batch in decoder.feed(content[start : start + 50_000], final=start + 50_000 >= len(content))
    ]
    assert decoder.error is None
    assert [row["a"] for batch in batches for row in batch.to_pylist()] == [*NUMBERS * 2000]


def test_decimal_is_exact() -> None:
    """No digit is lost between the file and the column."""
    decoder = JsonArrowDecoder({"a": pa.decimal128(20, 2)})
    (batch,) = decoder.feed(b'[{"a": 12345678901234567.12}]', final=True)
    assert batch.to_pylist() == [{"a": Decimal("12345678901234567.12")}]


def test_records_without_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are rows, too."""
    decoder = JsonArrowDecoder({})
    batches = decoder.feed(b"[{},{}]", final=True)
    assert [batch.num_rows for batch in batches] == [2]
    assert to_table(batches, decoder.schema).num_rows == 2
    monkeypatch.setattr(json_decoder, "BATCH_SIZE", 1)
    decoder = JsonArrowDecoder({})
    batches = [*decoder.feed(b"[{},{},"), *decoder.feed(b'{"a":1}]', final=True)]
    assert to_table(batches, decoder.schema).to_pylist() == [{"a": None}, {"a": None}, {"a": "1"}]


def test_malformed_file() -> None:
    """No record after the error is converted."""
    decoder = JsonArrowDecoder({})
    assert decoder.feed(b'[{"a":1},]', final=True) != []
    assert decoder.error is not None
    assert decoder.error.row == 2
    assert decoder.feed(b'{"a":2}') == []


def test_first_of_several_malformed_records() -> None:
    """The records before it are converted. They have no columns of later records."""
    decoder = JsonArrowDecoder({"a": pa.int8(), "b": pa.int8()})
    content = b'[{"a":1},{"a":2,"b":3},{"b":"x"},{"a":"y"},{"c":[]}]'
    (batch,) = decoder.feed(content, final=True)
    assert decoder.error is not None
    assert (decoder.error.row, decoder.error.column, decoder.count) == (3, "b", 2)
    assert batch.to_pylist() == [{"a": 1, "b": None}, {"a": 2, "b": 3}]
    decoder = JsonArrowDecoder({})
    (batch,) = decoder.feed(b'[{"a":1},{"b":1},{"c":[]}]', final=True)
    assert batch.schema.names == decoder.schema.names == ["a", "b"]


def test_nested_values_as_text() -> None:
    """Arrays and objects become JSON text, with all digits of their numbers."""
    decoder = JsonArrowDecoder({}, nested_as_text=True)
    content = '[{"a": {"b": [1.10, true, null, "é\\"", []], "c": {}}, "d": 1e400}]'
    (batch,) = decoder.feed(content.encode(), final=True)
    assert batch.to_pylist() == [{"a": '{"b": [1.10, true, null, "é\\"", []], "c": {}}', "d": "1e400"}]


@pytest.mark.parametrize("share", [0.6, 0.95])
def test_deeply_nested_values(share: float) -> None:
    """A value that is nested too deeply is an error of its row, whether it can be read or not."""
    depth = int(sys.getrecursionlimit() * share)
    content = b'[{"a": ' + b'{"b": ' * depth + b"1" + b"}" * depth + b"}]"
    decoder = JsonArrowDecoder({}, nested_as_text=True)
    assert decoder.feed(content, final=True) == []
    assert decoder.error is not None
    assert "nested too deeply" in decoder.error.reason
