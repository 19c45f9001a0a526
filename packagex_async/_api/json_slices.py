"""Large JSON documents, decoded in slices so that the event loop is never blocked for long.

A call of a C decoder cannot be interrupted, on any thread, for it holds the interpreter lock. So a large
document is read through a window of limited size. A value that fits into the window is decoded in one call. A
larger array or object is decoded item by item.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

from packagex_async._utils import json as json_module
from packagex_async._utils.aio import Slices

LARGE = 256 * 1024
"""Bytes from which a document is decoded in slices; fewer are decoded within a few milliseconds."""

_STEP = 64 * 1024
"""Bytes that are added to the window at a time."""

_ITEMS = 1000
"""Items of one array or object that are decoded in one slice."""

MAX_ITEMS = 1_000_000
"""Items that one array or object may have; each takes up to a hundred times its text in memory."""

MAX_TEXT = 16 * 1024 * 1024
"""Characters that one string may have: it is decoded in one call."""

_SPACE = re.compile(r"[ \t\n\r]*+")
_COMMA = re.compile(r"[ \t\n\r]*+,[ \t\n\r]*+")
_SCALARS = frozenset('"-0123456789')


class TooLargeError(ValueError):
    """The document has more items, or longer strings, than are decoded."""


def loads_in_slices(body: bytes) -> Slices[Any]:
    """Decode `body` to the value that `json.loads` returns for it.

    Raises:
        TooLargeError: It exceeds `MAX_ITEMS` or `MAX_TEXT`.
        ValueError: It is not JSON in UTF-8.
        RecursionError: It is nested too deeply.
    """
    return _Reader(body).document()


class _Reader:
    """Reads one document through a window.

    Args:
        body: The document.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._read = 0
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        decoder: Any = json.JSONDecoder(parse_int=json_module.parse_integer)
        self._scan = decoder.scan_once
        self._window = ""
        self._position = 0
        self._value: Any = None

    def document(self) -> Slices[Any]:
        """Decode the whole document."""
        value = yield from self._any()
        if (yield from self._find()):
            raise ValueError("something follows the document")
        return value

    def _any(self) -> Slices[Any]:
        first = self._char() or (yield from self._find())
        while not self._decodes():
            size = len(self._window) - self._position
            if size >= LARGE and first == "[":
                return (yield from self._array())
            if size >= LARGE and first == "{":
                return (yield from self._object())
            if first not in _SCALARS and size >= LARGE:
                raise ValueError("a value is expected")
            if size > MAX_TEXT:
                raise TooLargeError("a string is too long")
            yield
            self._extend()
        return self._value

    def _array(self) -> Slices[list[Any]]:
        items: list[Any] = []
        more = yield from self._begins("]")
        while more:
            self._collect(items)
            items.append((yield from self._any()))
            more = yield from self._continues("]", len(items))
        return items

    def _object(self) -> Slices[dict[str, Any]]:
        items: dict[str, Any] = {}
        more = yield from self._begins("}")
        while more:
            name = yield from self._any()
            if not isinstance(name, str) or (yield from self._take()) != ":":
                raise ValueError("a name is expected")
            items[name] = yield from self._any()
            more = yield from self._continues("}", len(items))
        return items

    def _begins(self, close: str) -> Slices[bool]:
        """Pass over the bracket, and over `close` if it follows at once; return whether items follow."""
        self._position += 1
        if (yield from self._find()) != close:
            return True
        self._position += 1
        return False

    def _continues(self, close: str, count: int) -> Slices[bool]:
        """Pass over what stands behind item number `count`; return whether another item follows."""
        if count > MAX_ITEMS:
            raise TooLargeError("there are too many items")
        if count % _ITEMS == 0:
            yield
        mark = yield from self._take()
        if mark not in (",", close):
            raise ValueError("a comma is expected")
        return mark == ","

    def _collect(self, items: list[Any]) -> None:
        """Decode items that lie within the window with a comma behind each, up to the end of the slice."""
        self._char()
        window, position = self._window, self._position
        for _ in range(_ITEMS - 1 - len(items) % _ITEMS):
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

    def _take(self) -> Slices[str]:
        mark = self._char() or (yield from self._find())
        self._position += 1
        return mark

    def _find(self) -> Slices[str]:
        """Pass over white space; return the character behind it, empty at the end of the document."""
        while not (char := self._char()) and self._read < len(self._body):
            yield
            self._extend()
        return char

    def _char(self) -> str:
        """The same within the window."""
        space = _SPACE.match(self._window, self._position)
        self._position = space.end() if space else self._position
        return self._window[self._position : self._position + 1]

    def _decodes(self) -> bool:
        """Decode the value at the position; return whether the window holds all of it."""
        exhausted = self._read >= len(self._body)
        try:
            self._value, end = self._scan(self._window, self._position)
        except (StopIteration, ValueError):
            if exhausted:
                raise ValueError("the document is not JSON") from None
            return False
        # A number may go on behind the window, as in `1e+` and `5`.
        if end + len("e+") >= len(self._window) and not exhausted:
            return False
        self._position = end
        return True

    def _extend(self) -> None:
        rest = self._window[self._position :]
        # As much again as is not decoded yet, so that a long string is not read over and over.
        end = self._read + max(_STEP, len(rest))
        added = self._decode(self._body[self._read : end], end >= len(self._body))
        self._window, self._position, self._read = rest + added, 0, end
