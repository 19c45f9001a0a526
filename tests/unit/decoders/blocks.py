"""Feeds a decoder with the blocks of a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from hypothesis import strategies as st

from packagex_async._rows.block_decoder import RowDecoder

SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=5)
"""The sizes of the blocks of a file. The sequence is repeated."""


def blocks(content: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    """Yield `content` in blocks of the given sizes. The sequence of sizes is repeated."""
    sizes = list(sizes)
    start = number = 0
    while start < len(content):
        end = start + sizes[number % len(sizes)]
        yield content[start:end]
        start, number = end, number + 1


def decode(decoder: RowDecoder, content: bytes, sizes: Iterable[int] = (2**30,)) -> list[Any]:
    """Return the rows of a file that arrives in blocks of the given sizes."""
    rows = [row for block in blocks(content, sizes) for row in decoder.feed(block)]
    rows += decoder.feed(b"", final=True)
    assert decoder.count == len(rows)
    return rows
