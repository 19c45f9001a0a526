"""A body that arrives compressed although it was asked for as it is: decoded in a stream, within bounds."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})
"""The content encodings that can be decoded."""

MAX_RATIO = 200
"""How many bytes may come of one, beyond `FREE_SIZE`; real data stays far below."""

FREE_SIZE = 64 * 1024 * 1024
"""Bytes that may come of however few."""

_PIECE = 1024 * 1024
_EITHER_FORMAT = zlib.MAX_WBITS | 32


class BodyError(Exception):
    """The body cannot be what it says it is; the message says why."""


class Decoder:
    """Decodes gzip and deflate, and refuses a body that swells beyond measure.

    Args:
        most: The most bytes it may decode to.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._stream = zlib.decompressobj(_EITHER_FORMAT)
        self._taken = 0
        self._given = 0

    def feed(self, block: bytes | memoryview) -> Iterator[bytes]:
        """What `block` decodes to, in pieces.

        Raises:
            BodyError: It is not compressed data, or swells beyond measure.
        """
        self._taken += len(block)
        while block:
            if self._stream.eof:
                # A gzip file may have several members.
                self._stream = zlib.decompressobj(_EITHER_FORMAT)
            yield self._piece(block)
            block = self._stream.unconsumed_tail or self._stream.unused_data

    def end(self) -> None:
        """Make sure that the body was whole.

        Raises:
            BodyError: Its compressed data breaks off.
        """
        if not self._stream.eof:
            raise BodyError("its compressed data breaks off")

    def _piece(self, block: bytes | memoryview) -> bytes:
        try:
            piece = self._stream.decompress(block, _PIECE)
        except zlib.error:
            raise BodyError("it is not the compressed data it says it is") from None
        self._given += len(piece)
        if self._given > max(FREE_SIZE, MAX_RATIO * self._taken):
            raise BodyError(f"it swells to more than {MAX_RATIO} times its length")
        if self._most is not None and self._given > self._most:
            raise BodyError(f"it decodes to more than max_size={self._most} bytes")
        return piece
