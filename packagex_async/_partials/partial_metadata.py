"""The metadata of a partial file, read from a disk where it may have become anything."""

from __future__ import annotations

import json
from typing import Any

PartialMetadata = dict[str, Any]

MAX_SIZE = 64 * 1024
"""Bytes that the metadata of a partial file may have."""

MAX_LENGTH = 2**63 - 1
"""Bytes that a file may have."""

MAX_GAPS = 256
"""A partial file with more gaps is not worth the requests it takes to fill them."""


def parse_memo(text: bytes) -> PartialMetadata | None:
    """Return the metadata in `text`, or `None` if it cannot be used.

    What is returned has a `length` and a `machine`, an `algorithm` that is a name or `None`, and `gaps` that
    are pairs of numbers, if any. All of its text is text that a request header can hold.
    """
    try:
        memo = json.loads(text, object_pairs_hook=_unique)
        usable = type(memo) is dict and _has_known_types(memo) and _is_plain(memo)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return memo if usable else None


def _unique(pairs: list[tuple[str, Any]]) -> PartialMetadata:
    if len(pairs) != len(dict(pairs)):
        raise ValueError("duplicate keys")
    return dict(pairs)


def _has_known_types(memo: PartialMetadata) -> bool:
    return (
        type(memo["length"]) is int
        and 0 <= memo["length"] <= MAX_LENGTH
        and type(memo["machine"]) is str
        and type(memo["algorithm"]) in (str, type(None))
        and _are_pairs(memo.get("gaps", []))
    )


def _are_pairs(gaps: Any) -> bool:
    if type(gaps) is not list or len(gaps) > MAX_GAPS:
        return False
    return all(type(gap) is list and len(gap) == 2 and type(gap[0]) is type(gap[1]) is int for gap in gaps)


def _is_plain(value: Any) -> bool:
    """Whether all text in `value` is printable ASCII; a line break would end a request header."""
    if isinstance(value, str):
        return value.isascii() and value.isprintable()
    if isinstance(value, dict):
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    return not isinstance(value, list) or all(map(_is_plain, value))
