"""Streaming decompression, within limits, of bodies that a server compressed without being asked."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})
"""The supported content codings."""

MAX_RATIO = 200
"""Bytes of output per byte of input, beyond `FREE_SIZE`; real data stays far below this limit."""

FREE_SIZE = 64 * 1024 * 1024
"""Bytes of output that are always allowed, whatever the ratio is."""

MAX_EMPTY_MEMBERS = 1000
"""Empty members that a gzip file may have in a row."""

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
    """The body cannot be decompressed; the message says why."""


class Decompressor:
    """Decompresses gzip and deflate, and rejects a body that expands too much.

    Args:
        encoding: The content coding, one of `ENCODINGS`.
        max_size: The largest allowed output in bytes.
    """

    def __init__(self, encoding: str, max_size: int | None = None) -> None:
        self._encoding = encoding
        self._max_size = max_size
        self._stream: _Stream | None = None
        self._start = b""
        self._members = 0
        self._empty_members = 0
        self._output_before_member = 0
        self._input = 0
        self._output = 0

    def feed(self, chunk: bytes | memoryview) -> Iterator[bytes]:
        """Decompress `chunk` and yield the result in pieces.

        Raises:
            DecompressionError: The data is not valid, or its output is too large.
        """
        self._input += len(chunk)
        rest = memoryview(self._start + chunk if self._start else chunk)
        self._start = b""
        while rest:
            if self._stream is None:
                rest = _skip_padding(rest) if self._members else rest
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
            DecompressionError: The compressed data is truncated.
        """
        if self._stream is not None or self._start:
            raise DecompressionError("its compressed data is truncated")

    def _begin_member(self, start: bytes) -> None:
        self._stream = zlib.decompressobj(self._window_bits(start))
        self._members += 1
        self._output_before_member = self._output
        # zlib copies all input after the end of a member, so the input of a new member starts small.
        self._input_size = _MIN_INPUT_SIZE

    def _window_bits(self, start: bytes) -> int:
        """Return zlib's number for the format of a member that begins with the two bytes `start`."""
        if start == _GZIP_START:
            return _GZIP_BITS
        if self._members == 0:
            if start[0] & 0x0F == zlib.DEFLATED and int.from_bytes(start) % 31 == 0:
                return zlib.MAX_WBITS
            if self._encoding == "deflate":
                # Some servers omit the zlib header that the deflate coding requires.
                return -zlib.MAX_WBITS
        raise _invalid_data()

    def _decompress(self, stream: _Stream, rest: memoryview) -> tuple[bytes, memoryview]:
        """Return the next piece of output, and the remaining input."""
        data = rest[: self._input_size]
        try:
            piece = stream.decompress(data, _MAX_PIECE_SIZE)
        except zlib.error:
            raise _invalid_data() from None
        self._output += len(piece)
        self._check_size()
        if stream.eof:
            self._end_member()
        self._input_size = min(2 * self._input_size, _MAX_PIECE_SIZE)
        return piece, rest[len(data) - len(stream.unused_data or stream.unconsumed_tail) :]

    def _end_member(self) -> None:
        self._stream = None
        self._empty_members = self._empty_members + 1 if self._output == self._output_before_member else 0
        if self._empty_members > MAX_EMPTY_MEMBERS:
            raise DecompressionError(f"it has more than {MAX_EMPTY_MEMBERS} empty gzip members in a row")

    def _check_size(self) -> None:
        if self._output > max(FREE_SIZE, MAX_RATIO * self._input):
            raise DecompressionError(f"it decompresses to more than {MAX_RATIO} times its length")
        if self._max_size is not None and self._output > self._max_size:
            raise DecompressionError(f"it decompresses to more than max_size={self._max_size} bytes")


def _invalid_data() -> DecompressionError:
    return DecompressionError("it is labeled as compressed, but is not valid compressed data")


def _skip_padding(rest: memoryview) -> memoryview:
    """Return `rest` without leading zeros, which may follow a gzip member as padding."""
    while rest and rest[0] == 0:
        window = bytes(rest[:_MIN_INPUT_SIZE])
        rest = rest[len(window) - len(window.lstrip(b"\0")) :]
    return rest
