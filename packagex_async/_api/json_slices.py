"""Large JSON documents, decoded in slices so that the event loop is never blocked for long.

A call of the C decoder holds the interpreter lock and cannot be interrupted, not even on a thread. Therefore,
a large document is read through a window of limited size. A value that fits into the window is decoded in one
call. A larger array or object is decoded item by item.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

from packagex_async._utils import json as json_module
from packagex_async._utils.aio import Slices

LARGE = 256 * 1024
"""Minimum bytes of a document that is decoded in slices. A smaller one takes a few milliseconds."""

_READ_SIZE = 64 * 1024
"""Bytes that are read into the window at a time."""

_ITEMS_PER_SLICE = 1000
"""Items of an array or object that are decoded in one slice."""

MAX_ITEMS = 1_000_000
"""Maximum items of an array or object. An item takes up to 100 times as much memory as its text."""

MAX_TEXT = 16 * 1024 * 1024
"""Maximum characters of a string, because a string is decoded in one call."""

_WHITESPACE = re.compile(r"[ \t\n\r]*+")
_COMMA = re.compile(r"[ \t\n\r]*+,[ \t\n\r]*+")
_SCALARS = frozenset('"-0123456789')


class TooLargeError(ValueError):
    """The document exceeds `MAX_ITEMS` or `MAX_TEXT`."""


def loads_in_slices(body: bytes) -> Slices[Any]:
    """Decode `body` in slices. The result is equal to that of `json.loads`.

    Raises:
        TooLargeError: The document exceeds `MAX_ITEMS` or `MAX_TEXT`.
        ValueError: The document is not JSON in UTF-8.
        RecursionError: The document is nested too deeply.
    """
    return _SliceDecoder(body).decode()


class _SliceDecoder:
    """Decodes one document through a window.

    Args:
        body: The document.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._read_end = 0
        self._decode_text = codecs.getincrementaldecoder("utf-8-sig")().decode
        decoder: Any = json.JSONDecoder(parse_int=json_module.parse_integer)
        self._scan = decoder.scan_once
        self._window = ""
        self._position = 0
        self._value: Any = None

    def decode(self) -> Slices[Any]:
        """Decode the whole document."""
        value = yield from self._decode_value()
        if (yield from self._skip_space()):
            raise ValueError("unexpected data after the document")
        return value

    def _decode_value(self) -> Slices[Any]:
        first = self._peek() or (yield from self._skip_space())
        while not self._decode_in_window():
            size = len(self._window) - self._position
            if size >= LARGE and first == "[":
                return (yield from self._decode_array())
            if size >= LARGE and first == "{":
                return (yield from self._decode_object())
            if first not in _SCALARS and size >= LARGE:
                raise ValueError("expected a value")
            if size > MAX_TEXT:
                raise TooLargeError("a string is too long")
            yield
            self._extend_window()
        return self._value

    def _decode_array(self) -> Slices[list[Any]]:
        items: list[Any] = []
        more = yield from self._enter("]")
        while more:
            self._decode_items(items)
            items.append((yield from self._decode_value()))
            more = yield from self._next_item("]", len(items))
        return items

    def _decode_object(self) -> Slices[dict[str, Any]]:
        items: dict[str, Any] = {}
        more = yield from self._enter("}")
        while more:
            name = yield from self._decode_value()
            if not isinstance(name, str) or (yield from self._read_char()) != ":":
                raise ValueError("expected a name and a colon")
            items[name] = yield from self._decode_value()
            more = yield from self._next_item("}", len(items))
        return items

    def _enter(self, close: str) -> Slices[bool]:
        """Skip the opening bracket, and `close` if it is next; return whether items follow."""
        self._position += 1
        if (yield from self._skip_space()) != close:
            return True
        self._position += 1
        return False

    def _next_item(self, close: str, count: int) -> Slices[bool]:
        """Skip the separator after item `count`; return whether another item follows."""
        if count > MAX_ITEMS:
            raise TooLargeError("an array or object has too many items")
        if count % _ITEMS_PER_SLICE == 0:
            yield
        char = yield from self._read_char()
        if char not in (",", close):
            raise ValueError("expected a comma")
        return char == ","

    def _decode_items(self, items: list[Any]) -> None:
        """Decode the items that are in the window with a comma after them, up to the end of the slice."""
        self._peek()
        window, position = self._window, self._position
        for _ in range(_ITEMS_PER_SLICE - 1 - len(items) % _ITEMS_PER_SLICE):
            try:
                value, end = self._scan(window, position)
            except (StopIteration, ValueError):
                break
            comma = _COMMA.match(window, end)
            if comma is None:
                break
            items.append(value)
            position = comma.end()
        self._position = position

    def _read_char(self) -> Slices[str]:
        char = self._peek() or (yield from self._skip_space())
        self._position += 1
        return char

    def _skip_space(self) -> Slices[str]:
        """Skip white space; return the next character, or an empty string at the end of the document."""
        while not (char := self._peek()) and self._read_end < len(self._body):
            yield
            self._extend_window()
        return char

    def _peek(self) -> str:
        """Skip white space in the window; return the next character, or an empty string at its end."""
        space = _WHITESPACE.match(self._window, self._position)
        self._position = space.end() if space else self._position
        return self._window[self._position : self._position + 1]

    def _decode_in_window(self) -> bool:
        """Decode the value at the position; return whether the window contains all of it."""
        exhausted = self._read_end >= len(self._body)
        try:
            self._value, end = self._scan(self._window, self._position)
        except (StopIteration, ValueError):
            if exhausted:
                raise ValueError("not JSON") from None
            return False
        # A number may continue after the window, such as `1e+` and `5`.
        if end + len("e+") >= len(self._window) and not exhausted:
            return False
        self._position = end
        return True

    def _extend_window(self) -> None:
        rest = self._window[self._position :]
        # Double the window if it contains one long string, which is scanned again from its start.
        end = self._read_end + max(_READ_SIZE, len(rest))
        added = self._decode_text(self._body[self._read_end : end], end >= len(self._body))
        self._window, self._position, self._read_end = rest + added, 0, end
