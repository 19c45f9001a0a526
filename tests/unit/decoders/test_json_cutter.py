"""Records are cut by the text between two records, and a wrong cut is noticed."""

from __future__ import annotations

import pytest

from packagex_async._decoders.json_cutter import ItemCutter, LineCutter
from packagex_async._decoders.json_text import JsonText


def learned(text: str, end: int) -> ItemCutter:
    """Return a cutter that knows the separator after the item that ends at `end`."""
    cutter = ItemCutter()
    assert cutter.learn(JsonText(text.encode(), final=False), end)
    return cutter


def test_items_before_last_separator() -> None:
    """Items before the last separator are cut, for any white space in the separator."""
    cutter = learned('{"id": 1},\n {"id": 2}', 9)
    data = b'{"id": 1},\n {"id": 2},\n {"id": 3'
    records, end = cutter.cut(data)
    assert (records, data[end:]) == ([{"id": 1}, {"id": 2}], b'{"id": 3')


def test_no_separator() -> None:
    """No items are cut before a separator is known, or if the data does not contain it."""
    assert ItemCutter().cut(b'{"id":1},{"id":2}') == ([], 0)
    assert learned('{"id":1},{"id":2}', 8).cut(b'{"id":1},{"name":2}') == ([], 0)


@pytest.mark.parametrize("text", ['{"a":1},[1]', '{"a":1}]', '{"a":1},{}', "1,2", '{"a":1},{"\\"":1}'])
def test_no_separator_is_learned(text: str) -> None:
    """A separator is learned only between two objects, of which the second one has fields."""
    assert not ItemCutter().learn(JsonText(text.encode(), final=False), text.index(",") if "," in text else 7)


def test_nested_objects_are_not_cut() -> None:
    """After three consecutive wrong cuts, no more cuts are tried."""
    cutter = learned('{"id":1},{"id":2}', 8)
    nested = b'{"a":[{"id":1},{"id":2},{"id":'
    for _ in range(2):
        assert cutter.cut(nested) == ([], 0)
    assert cutter.cut(b'{"id":1},{"id":2},{"id":3}') == ([{"id": 1}, {"id": 2}], 18)
    for _ in range(3):
        assert cutter.cut(nested) == ([], 0)
    assert cutter.cut(b'{"id":1},{"id":2},{"id":3}') == ([], 0)


@pytest.mark.parametrize(
    ("data", "rest"),
    [
        (b'{"a":[{"id":1},{"id":2}]},{"id":3},{"a":[{"id":4},{"id":5', b'{"id":3},{"a":[{"id":4},{"id":5'),
        (b'{"a":"["},{"id":3},{"a":[{"id":4}]},{"id":5', b'{"id":5'),
    ],
)
def test_nested_objects_are_recognized(data: bytes, rest: bytes) -> None:
    """After a wrong cut, brackets show which objects are nested. Brackets in strings are no obstacle."""
    cutter = learned('{"id":1},{"id":2}', 8)
    assert cutter.cut(b'{"a":[{"id":1},{"id":2},{"id":') == ([], 0)
    items, end = cutter.cut(data)
    assert items
    assert data[end:] == rest


def test_nesting_that_is_too_deep() -> None:
    """Data that is nested too deeply counts as a wrong cut."""
    cutter = learned('{"id":1},{"id":2}', 8)
    assert cutter.cut(b"[" * 100_000 + b'{"id":1},{"id":2}') == ([], 0)


def test_lines() -> None:
    """Blank lines are skipped, and the last line may be incomplete."""
    assert LineCutter().cut(b'\n{"a":1}\r\n \n{"a":2}\n{"a":', at_line_start=False) == (
        [{"a": 1}, {"a": 2}],
        20,
    )
    assert LineCutter().cut(b'{"a":1}\n', at_line_start=True) == ([{"a": 1}], 8)
    assert LineCutter().cut(b'{"a":1}', at_line_start=True) == ([], 0)


def test_object_on_the_line_of_the_last_record() -> None:
    """An object on the same line as the last record is not cut."""
    assert LineCutter().cut(b' {"a":1}\n', at_line_start=False) == ([], 0)


@pytest.mark.parametrize("line", [b'{"a":1},{"a":2}', b"[1]", b'{"a":', b"\x0b", b"[" * 100_000])
def test_line_that_is_not_one_record(line: bytes) -> None:
    """After three consecutive blocks with such a line, no more lines are cut."""
    cutter = LineCutter()
    for _ in range(3):
        assert cutter.cut(line + b"\n", at_line_start=True) == ([], 0)
    assert cutter.cut(b"{}\n", at_line_start=True) == ([], 0)
