"""Decompression of a body that arrives compressed although it was not requested so: streaming and bounded."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})
"""The content codings that can be decoded."""

MAX_RATIO = 200
"""How many bytes one byte may decode to, beyond `FREE_SIZE`; real data stays far below."""

FREE_SIZE = 64 * 1024 * 1024
"""Bytes that a body of any length may decode to."""

MAX_EMPTY_MEMBERS = 1000
"""The most members of a gzip file in a row that hold no bytes."""

_MAX_PIECE_SIZE = 1024 * 1024
_MIN_INPUT_SIZE = 512
_GZIP_START = b"\x1f\x8b"
_GZIP_BITS = zlib.MAX_WBITS | 16


class _Stream(Protocol):
    """A decompression object of zlib."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    @property
    def unconsumed_tail(self) -> bytes: ...

    def decompress(self, data: memoryview, /, max_length: int) -> bytes: ...


class DecompressionError(Exception):
    """The body cannot be what it says it is; the message says why."""


class Decompressor:
    """Decodes gzip and deflate, and refuses a body that decodes to far more than its own length.

    Args:
        encoding: The content coding, one of `ENCODINGS`.
        most: The most bytes the body may decode to.
    """

    def __init__(self, encoding: str, most: int | None = None) -> None:
        self._encoding = encoding
        self._most = most
        self._stream: _Stream | None = None
        self._start = b""
        self._members = 0
        self._empty_members = 0
        self._member_given = 0
        self._taken = 0
        self._given = 0

    def feed(self, block: bytes | memoryview) -> Iterator[bytes]:
        """Yield what `block` decodes to, in pieces.

        Raises:
            BodyError: It is not compressed data, or it decodes to too many bytes.
        """
        self._taken += len(block)
        rest = memoryview(self._start + block if self._start else block)
        self._start = b""
        while rest:
            if self._stream is None:
                rest = _without_padding(rest) if self._members else rest
                if len(rest) < 2:
                    self._start = bytes(rest)
                    return
                self._begin_member(bytes(rest[:2]))
            else:
                piece, rest = self._decompress(self._stream, rest)
                yield piece

    def end(self) -> None:
        """Check that the body was complete. A body without any bytes is an empty object.

        Raises:
            BodyError: Its compressed data breaks off.
        """
        if self._stream is not None or self._start:
            raise DecompressionError("its compressed data breaks off")

    def _begin_member(self, start: bytes) -> None:
        self._stream = zlib.decompressobj(self._window_bits(start))
        self._members += 1
        self._member_given = self._given
        # Each member is decoded from a small input first: zlib copies all input behind the end of a member.
        self._input_size = _MIN_INPUT_SIZE

    def _window_bits(self, start: bytes) -> int:
        """Return zlib's number for the format of a member that begins with two bytes `start`."""
        if start == _GZIP_START:
            return _GZIP_BITS
        if self._members == 0:
            if start[0] & 0x0F == zlib.DEFLATED and int.from_bytes(start) % 31 == 0:
                return zlib.MAX_WBITS
            if self._encoding == "deflate":
                # Some servers send deflate without the zlib header that its name asks for.
                return -zlib.MAX_WBITS
        raise DecompressionError("it is not the compressed data it says it is")

    def _decompress(self, stream: _Stream, rest: memoryview) -> tuple[bytes, memoryview]:
        """Return the next piece, and the input behind the bytes that it took."""
        given = rest[: self._input_size]
        try:
            piece = stream.decompress(given, _MAX_PIECE_SIZE)
        except zlib.error:
            raise DecompressionError("it is not the compressed data it says it is") from None
        self._given += len(piece)
        self._check_size()
        if stream.eof:
            self._end_member()
        self._input_size = min(2 * self._input_size, _MAX_PIECE_SIZE)
        return piece, rest[len(given) - len(stream.unused_data or stream.unconsumed_tail) :]

    def _end_member(self) -> None:
        self._stream = None
        self._empty_members = self._empty_members + 1 if self._given == self._member_given else 0
        if self._empty_members > MAX_EMPTY_MEMBERS:
            raise DecompressionError(f"it has more than {MAX_EMPTY_MEMBERS} empty gzip members in a row")

    def _check_size(self) -> None:
        if self._given > max(FREE_SIZE, MAX_RATIO * self._taken):
            raise DecompressionError(f"it swells to more than {MAX_RATIO} times its length")
        if self._most is not None and self._given > self._most:
            raise DecompressionError(f"it decodes to more than max_size={self._most} bytes")


def _without_padding(rest: memoryview) -> memoryview:
    """Return `rest` without the zeros it begins with: a gzip file may be padded with zeros."""
    while rest and rest[0] == 0:
        window = bytes(rest[:_MIN_INPUT_SIZE])
        rest = rest[len(window) - len(window.lstrip(b"\0")) :]
    return rest
