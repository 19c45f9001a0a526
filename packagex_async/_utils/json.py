"""A JSON parser that uses orjson if it is installed, with the same results as the standard library."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from functools import cache
from typing import Any

_EXACT_TYPES = frozenset({str, int, bool, type(None)})
_MIN_ROUNDED = 2.0**63
"""A float of this size may be an integer of more than 64 bits, which orjson rounds."""

_DIGITS_TO_ZEROS = bytes(ord("0") if char in b"0123456789" else ord(" ") for char in range(256))


@cache
def orjson_loads() -> Callable[[bytes], Any] | None:
    """Return `orjson.loads`, or `None` if orjson, part of the extra `speed`, is not installed."""
    try:
        library = importlib.import_module("orjson")
    except ImportError:
        return None
    loads: Callable[[bytes], Any] = library.loads
    return loads


def loads(body: bytes) -> Any:
    """Return the value of the JSON text `body`, as the standard library parses it.

    There is one difference: an integer with too many digits for the standard library becomes a float.

    Raises:
        ValueError: `body` is not JSON in UTF-8.
        RecursionError: The value is nested too deeply.
    """
    fast_loads = orjson_loads()
    if fast_loads is not None:
        try:
            value = fast_loads(body)
            if not (_may_have_long_integer(body) and _may_be_rounded(value)):
                return value
        except (ValueError, RecursionError):
            pass  # orjson is stricter than the standard library, which decides.
    text = body.decode("utf-8-sig")
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return json.loads(text, parse_int=parse_integer)


class NumberText(str):
    """The text of a JSON number. A float may have fewer digits."""

    __slots__ = ()


number_text_decoder = json.JSONDecoder(parse_int=NumberText, parse_float=NumberText)
"""Decodes numbers to their texts."""


def loads_with_number_texts(body: bytes) -> Any:
    """Return the value of the JSON text `body`, with the text of each number in its place.

    Raises:
        ValueError: `body` is not JSON in UTF-8.
        RecursionError: The value is nested too deeply.
    """
    return number_text_decoder.decode(body.decode("utf-8-sig"))


def parse_integer(digits: str) -> int | float:
    """Return `digits` as an integer, or as a float if Python's limit of digits is exceeded."""
    try:
        return int(digits)
    except ValueError:
        return float(digits)


def _may_have_long_integer(body: bytes) -> bool:
    """Return whether `body` has so many consecutive digits that one of its integers may exceed 64 bits.

    Most files contain none, and this takes less time than to examine the decoded values.
    """
    # Of 19 consecutive digits, every fourth byte of `body` contains at least 4.
    return b"0000" in body[::4].translate(_DIGITS_TO_ZEROS)


def _may_be_rounded(value: Any) -> bool:
    if isinstance(value, float):
        return abs(value) >= _MIN_ROUNDED
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not _EXACT_TYPES.issuperset(map(type, inner)) and any(map(_may_be_rounded, inner))
