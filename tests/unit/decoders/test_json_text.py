"""Values are read one by one, and incomplete text differs from invalid text."""

from __future__ import annotations

from typing import Any

import pytest

from packagex_async._decoders.json_text import IncompleteJsonError, InvalidJsonError, JsonText


def text_of(text: str, *, final: bool = False) -> JsonText:
    return JsonText(text.encode(), final=final)


@pytest.mark.parametrize(
    ("text", "value", "position"),
    [(" 1 ", 1, 2), ('"é"]', "é", 3), ("[1, {}],", [1, {}], 7), ("9" * 5000 + ",", float("inf"), 5000)],
)
def test_values(text: str, value: Any, position: int) -> None:
    """The position moves behind the value. An integer with too many digits is a float."""
    reader = text_of(text)
    assert (reader.value(), reader.position) == (value, position)


@pytest.mark.parametrize(
    "text",
    ["", " ", '"a', '"a\\', '"a\\ud83d\\u', "tru", "-", "-Infinit", "[1", "[1,", '{"a"', '{"a":', '{"a":1,'],
)
def test_incomplete_value(text: str) -> None:
    """A value at the end of the text is incomplete unless the file ends. An empty text is incomplete."""
    with pytest.raises(IncompleteJsonError):
        text_of(text).value()
    with pytest.raises(InvalidJsonError if text.strip() else IncompleteJsonError):
        text_of(text, final=True).value()


@pytest.mark.parametrize(
    "text", ["]", "truth", "'a'", '"\n"', '"\\x"', "[1 2]", "{1: 2}", "\N{NO-BREAK SPACE}1"]
)
def test_invalid_value(text: str) -> None:
    """A value that no further text can complete is invalid."""
    with pytest.raises(InvalidJsonError):
        text_of(text + " " * 12).value()


def test_delimiter() -> None:
    """White space before the delimiter is skipped. A number may continue after the end of the text."""
    assert text_of(" ,1").delimiter(",]") == ","
    with pytest.raises(InvalidJsonError):
        text_of(":   ").delimiter(",]")
    for text in ("1.", "1e", "1e+"):
        reader = text_of(text)
        reader.value()
        with pytest.raises(IncompleteJsonError):
            reader.delimiter(",]")


def test_name() -> None:
    """The colon after a name is skipped."""
    reader = text_of('"a" : 1')
    assert (reader.name(), reader.position) == ("a", 5)
    with pytest.raises(InvalidJsonError):
        text_of("1: 2").name()


def test_decoded_bytes() -> None:
    """Bytes are counted up to the last committed position."""
    reader = text_of('"é" "b"')
    reader.value()
    assert reader.decoded == 0
    reader.commit()
    reader.value()
    assert reader.decoded == 4


def test_invalid_utf_8() -> None:
    """The text ends before an invalid byte. An incomplete character at the end of the data is valid."""
    reader = JsonText(b'["a\xff', final=True)
    assert (reader.text, reader.is_utf8) == ('["a', False)
    with pytest.raises(IncompleteJsonError):
        reader.value()
    assert JsonText(b'"\xe2\x82', final=False).is_utf8
    assert not JsonText(b'"\xe2\x82', final=True).is_utf8
