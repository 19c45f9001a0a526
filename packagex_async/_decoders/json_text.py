"""A part of a JSON file, read value by value with the decoder of the standard library."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

from packagex_async._utils.json import number_text_decoder, parse_integer

INVALID = "it is not valid JSON, or not complete"
TOO_DEEP = "its arrays and objects are nested too deeply"

_WHITESPACE = re.compile(r"[ \t\n\r]*+")
_MAX_TOKEN = 12
"""The number of characters that decide whether a token is valid, such as `-Infinity` or `\\ud83d\\ude00`."""

_MAX_EXPONENT = 2
"""The number of characters after which an incomplete number needs a digit, such as `e+` in `1e+`."""

_decoder: Any = json.JSONDecoder(parse_int=parse_integer)


class IncompleteJsonError(Exception):
    """The value continues after the text."""


class InvalidJsonError(Exception):
    """The text is not valid.

    Attributes:
        reason: The reason, without contents of the file.
        in_row: Whether the invalid text is in a record, and not between or after the records.
    """

    def __init__(self, reason: str = INVALID, *, in_row: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.in_row = in_row


class JsonText:
    """A part of a JSON file, and the position of the next character.

    Args:
        data: The bytes.
        final: Whether the file ends after them.
        number_texts: Decode numbers to `NumberText`.

    Attributes:
        is_utf8: Whether all bytes are UTF-8, apart from an incomplete character at the end. The text ends
            before the first invalid byte.
        text: The text.
        position: The position of the next character.
    """

    def __init__(self, data: bytes, *, final: bool, number_texts: bool = False) -> None:
        self.is_utf8: bool = True
        self._decoder: Any = number_text_decoder if number_texts else _decoder
        try:
            self.text: str = codecs.utf_8_decode(data, "strict", final)[0]
        except UnicodeDecodeError as error:
            self.is_utf8 = False
            self.text = data[: error.start].decode()
        self.position: int = 0
        self._is_complete = final and self.is_utf8
        self._committed = 0

    def commit(self) -> None:
        """Mark everything before the position as decoded."""
        self._committed = self.position

    @property
    def decoded(self) -> int:
        """The number of bytes before the last committed position."""
        text = self.text
        return self._committed if text.isascii() else len(text[: self._committed].encode())

    def skip_space(self) -> str:
        """Skip white space and return it."""
        match = _WHITESPACE.match(self.text, self.position)
        assert match is not None  # noqa: S101  # the pattern matches an empty text
        self.position = match.end()
        return match.group()

    def peek(self) -> str:
        """Skip white space, and return the next character.

        Raises:
            IncompleteJsonError: The text ends.
        """
        self.skip_space()
        if self.position == len(self.text):
            raise IncompleteJsonError
        return self.text[self.position]

    def delimiter(self, expected: str) -> str:
        """Skip white space and one of the characters in `expected`, and return it.

        Raises:
            IncompleteJsonError: The text ends.
            InvalidJsonError: The next character is a different one.
        """
        char = self.peek()
        if char not in expected:
            raise self._error_at(self.position, _MAX_EXPONENT)
        self.position += 1
        return char

    def name(self) -> str:
        """Return the name of a field, and skip the colon after it.

        Raises:
            IncompleteJsonError: The text ends before the colon.
            InvalidJsonError: The text is not a name with a colon.
        """
        if self.peek() != '"':
            raise InvalidJsonError
        name: str = self.value()
        self.delimiter(":")
        return name

    def value(self) -> Any:
        """Return the next value.

        Raises:
            IncompleteJsonError: The text ends before the value.
            InvalidJsonError: There is no valid value.
        """
        self.peek()
        try:
            value, self.position = self._decoder.scan_once(self.text, self.position)
        except StopIteration as error:
            raise self._error_at(error.value, _MAX_TOKEN) from None
        except json.JSONDecodeError as error:
            # A string without an end is incomplete, because a line break in a string is not valid.
            is_string = error.msg.startswith("Unterminated")
            raise self._error_at(len(self.text) if is_string else error.pos, _MAX_TOKEN) from None
        except RecursionError:
            raise InvalidJsonError(TOO_DEEP) from None
        return value

    def _error_at(self, position: int, margin: int) -> IncompleteJsonError | InvalidJsonError:
        """Return the error for the text at `position`, which is incomplete if more text may make it valid."""
        if position + margin >= len(self.text) and not self._is_complete:
            return IncompleteJsonError()
        return InvalidJsonError()
