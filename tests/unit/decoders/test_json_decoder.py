"""JSON files are decoded as the standard library decodes them, whatever the size of the blocks."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async._decoders import json_decoder
from packagex_async._decoders.json_decoder import AFTER_END, NO_RECORDS, NOT_AN_OBJECT, TWICE, JsonDecoder
from packagex_async._decoders.json_text import INVALID, TOO_DEEP, JsonText
from packagex_async._decoders.row_error import NOT_UTF_8, RowError
from packagex_async._utils import json as json_module
from tests.unit.decoders.blocks import SIZES, decode
from tests.unit.decoders.json_files import JsonFile, json_files

ANY_SIZE = SIZES | st.just([1000])


@pytest.fixture(autouse=True, scope="module", params=["with orjson", "without orjson"])
def _with_and_without_orjson(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "without orjson":
            patch.setitem(sys.modules, "orjson", None)
        json_module.orjson_loads.cache_clear()
        yield
    json_module.orjson_loads.cache_clear()


@given(file=json_files(), sizes=ANY_SIZE)
def test_no_record_differs_from_standard_library(file: JsonFile, sizes: list[int]) -> None:
    """In every shape, types, order and keys are equal, also for unusual numbers and strings."""
    decoder = JsonDecoder()
    assert repr(decode(decoder, file.content, sizes)) == repr(file.records)
    assert decoder.error is None


@given(
    file=json_files(),
    sizes=ANY_SIZE,
    place=st.integers(0, 10**6),
    text=st.sampled_from(["", ",", "{", "]", "1e"]),
)
def test_malformed_files_are_refused(file: JsonFile, sizes: list[int], place: int, text: str) -> None:
    """The decoder refuses every file that the standard library refuses, except JSON lines."""
    content = file.content.decode("utf-8-sig").strip()
    place %= len(content) + 1
    content = content[:place] + text + content[place + (not text) :]
    decoder = JsonDecoder()
    records = decode(decoder, content.encode(), sizes)
    if decoder.error is None:
        assert repr(records) == repr(records_of(content))


def records_of(content: str) -> list[Any]:
    """Return the records of a file according to the standard library."""
    values: list[Any] = []
    position = 0
    while content[position:].strip():
        position = len(content) - len(content[position:].lstrip())
        value, position = json.JSONDecoder().raw_decode(content, position)
        values.append(value)
    if len(values) != 1:
        return values
    (value,) = values
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        value = value["data"]
    return value if isinstance(value, list) else values


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("content", "records"),
    [
        ("", []),
        ("\ufeff", []),
        (" \r\n\t", []),
        ("[]", []),
        ("[ ] ", []),
        ("{}", [{}]),
        ('{"data": []}', []),
        ('{"data": [], "n": 1}', []),
        ('{"n": {"data": [1]}, "data": [{"a": 1}, {"a": 2}], "m": [{"a": 3}]}', [{"a": 1}, {"a": 2}]),
        ('{"\\u0064ata": [{"a": 1}]}', [{"a": 1}]),
        ('{"data": {"a": [1]}}', [{"data": {"a": [1]}}]),
        ('{"data": 1, "data": [{"a": 1}]}', [{"a": 1}]),
        ('{"a": 1, "b": 2, "a": 3}', [{"a": 3, "b": 2}]),
        ('{"a": 1}\n{"data": [1]}\r\n\n{"a": 3}', [{"a": 1}, {"data": [1]}, {"a": 3}]),
        ('{\n "a": 1\n}\n{\n "a": 2\n}\n', [{"a": 1}, {"a": 2}]),
        ("[1, null, [2], 1.5e3, -0]", [1, None, [2], 1500.0, 0]),
        ('[{"a": {"id": 1}}, {"a": [{"a": 1}, {"a": 2}]}]', [{"a": {"id": 1}}, {"a": [{"a": 1}, {"a": 2}]}]),
        ("[1e400, -Infinity, 18446744073709551616]", [float("inf"), float("-inf"), 2**64]),
    ],
)
def test_shapes(content: str, records: list[Any], size: int) -> None:
    """A file may be an array, an object with the array `data`, objects on lines, one object, or empty."""
    decoder = JsonDecoder()
    assert decode(decoder, content.encode(), [size]) == records
    assert (decoder.error, decoder.duplicates) == (None, ())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("content", "count", "error"),
    [
        (b"[", 0, RowError(1, INVALID)),
        (b'[{"a": 1}, {"a": 2', 1, RowError(2, INVALID)),
        (b'[{"a": 1}, {"a": 2}', 1, RowError(2, INVALID)),
        (b'[{"a": 1},, {"a": 2}]', 1, RowError(2, INVALID)),
        (b'[{"a": 1},]', 1, RowError(2, INVALID)),
        (b'[,{"a": 1}]', 0, RowError(1, INVALID)),
        (b'[{"a": 1} {"a": 2}]', 0, RowError(1, INVALID)),
        (b'[{"a": 1, "b"}, {}]' + b" " * 40, 0, RowError(1, INVALID)),
        (b'[{"a": 1}] [', 1, RowError(None, AFTER_END)),
        (b'[{"a": 1}]\n{"a": 2}', 1, RowError(None, AFTER_END)),
        (b'[{"a": 1}]}', 1, RowError(None, AFTER_END)),
        (b'{"a": 1,}', 0, RowError(1, INVALID)),
        (b'{,"a": 1}', 0, RowError(1, INVALID)),
        (b'{"a" 1}', 0, RowError(1, INVALID)),
        (b'{"a": 1', 0, RowError(1, INVALID)),
        (b'{"a": 1} {"a": 2}', 1, RowError(None, AFTER_END)),
        (b'{"a": 1}]', 1, RowError(None, AFTER_END)),
        (b'{"a": 1}\n[2]\n', 1, RowError(2, NOT_AN_OBJECT)),
        (b'{"a": 1}\n{"a": 2}\n{"a"\n', 2, RowError(3, INVALID)),
        (b'{"data": [{"a": 1}', 0, RowError(1, INVALID)),
        (b'{"data": [{"a": 1}]', 1, RowError(None, f"after the records: {INVALID}")),
        (b'{"data": [],}', 0, RowError(None, f"after the records: {INVALID}")),
        (b'{"data": []} 1', 0, RowError(None, AFTER_END)),
        (b'{"data": [{"a": 1}], "data": []}', 1, RowError(None, TWICE)),
        (b"null", 0, RowError(None, NO_RECORDS)),
        (b"id,name\n1,2\n", 0, RowError(None, NO_RECORDS)),
        (b'[{"a": "\xe9"}]', 0, RowError(1, NOT_UTF_8)),
        (b'[{"a": 1}, {"a": "\xe9"}]', 1, RowError(2, NOT_UTF_8)),
        (b"\xff\xfe{\0}\0", 0, RowError(1, NOT_UTF_8)),
        (b"\xef\xbb", 0, RowError(1, NOT_UTF_8)),
    ],
)
def test_malformed_files(content: bytes, count: int, error: RowError, size: int) -> None:
    """The records before the error are yielded. The reason has numbers, but no contents."""
    decoder = JsonDecoder()
    assert len(decode(decoder, content, [size])) == count
    assert decoder.error == error
    assert decoder.feed(b"[]") == []


def test_nesting_that_is_too_deep() -> None:
    """Nesting that is too deep is an error of the record."""
    decoder = JsonDecoder()
    assert decode(decoder, b'[{"a": 1}, ' + b"[" * 100_000) == [{"a": 1}]
    assert decoder.error == RowError(2, TOO_DEEP)


@pytest.mark.parametrize(
    "content",
    [
        '[{"a": "' + "x" * 100_000 + '"}]',
        "[[" + "1," * 50_000 + "1]]",
        '[{"a": "' + "},{" * 30_000 + '"}]',
        '{"a": "' + "\\n" * 50_000 + '"}',
        '{"a": 1}\n{"b": "' + "x" * 100_000 + '"}',
        '[{"id": 1}, {"id": 2, "b": [' + '{"id": 3}, ' * 10_000 + '{"id": 4}]}]',
    ],
)
def test_time_is_linear_in_size_of_record(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that is much larger than a block is not decoded again with every block."""
    decoded = 0

    class CountingText(JsonText):
        def __init__(self, data: bytes, **options: Any) -> None:
            nonlocal decoded
            decoded += len(data)
            super().__init__(data, **options)

    monkeypatch.setattr(json_decoder, "JsonText", CountingText)
    records = decode(JsonDecoder(), content.encode(), [100])
    assert records == records_of(content)
    assert decoded < 4 * len(content)


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("shape", ["array", "envelope", "lines"])
def test_most_records_are_decoded_together(
    shape: str, indent: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first block, only the last records are decoded one by one."""
    if shape == "lines":
        indent = None
    records = [{"id": number, "items": [{"sku": 1}, {"sku": 2}]} for number in range(2000)]
    if shape == "lines":
        content = "\n".join(map(json.dumps, records))
    else:
        content = json.dumps(records if shape == "array" else {"data": records}, indent=indent)
    decoded = 0
    value = JsonText.value

    def counting_value(text: JsonText) -> Any:
        nonlocal decoded
        decoded += 1
        return value(text)

    monkeypatch.setattr(JsonText, "value", counting_value)
    assert decode(JsonDecoder(), content.encode(), [2000]) == records
    assert decoded < 100


def test_memory_does_not_grow_after_the_records() -> None:
    """The decoder checks the fields after the records, and does not keep them."""
    decoder = JsonDecoder()
    decoder.feed(b'{"data": [], ')
    for _ in range(100):
        decoder.feed(b'"a": "' + b"x" * 1000 + b'", ')
        assert decoder.pending < 3000
