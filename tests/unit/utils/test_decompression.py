"""A compressed body is decompressed in a stream, within limits."""

from __future__ import annotations

import gzip
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async._utils import decompression
from packagex_async._utils.decompression import DecompressionError, Decompressor


def decompress(body: bytes, step: int = 1000, max_size: int | None = None, encoding: str = "gzip") -> bytes:
    decompressor = Decompressor(encoding, max_size)
    pieces = [
        piece
        for start in range(0, len(body), step)
        for piece in decompressor.feed(body[start : start + step])
    ]
    decompressor.end()
    return b"".join(pieces)


@given(st.binary(max_size=5000), st.integers(1, 700))
def test_gzip_and_deflate_are_decompressed(content: bytes, step: int) -> None:
    """For all divisions of the body into chunks."""
    assert decompress(gzip.compress(content), step) == content
    assert decompress(zlib.compress(content), step) == content
    assert decompress(zlib.compress(content), step, encoding="deflate") == content


@given(st.binary(max_size=5000), st.integers(1, 700))
def test_deflate_without_a_header_is_decompressed(content: bytes, step: int) -> None:
    """Some servers omit the zlib header."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    raw = compressor.compress(content) + compressor.flush()
    assert decompress(raw, step, encoding="deflate") == content
    if not raw.startswith((b"\x1f\x8b", b"x")):
        with pytest.raises(DecompressionError, match="not valid compressed data"):
            decompress(raw)


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_zeros_after_a_member_are_padding(step: int) -> None:
    """At the end of the body and between two members. Other bytes there are an error."""
    padded = gzip.compress(b"one,") + bytes(1500)
    assert decompress(padded, step) == b"one,"
    assert decompress(padded + gzip.compress(b"two"), step) == b"one,two"
    assert decompress(zlib.compress(b"one") + bytes(9), step, encoding="deflate") == b"one"
    with pytest.raises(DecompressionError, match="not valid compressed data"):
        decompress(padded + b"surplus", step)
    with pytest.raises(DecompressionError, match="truncated"):
        decompress(padded + b"\x1f", step)


def test_a_body_without_bytes_is_an_empty_object() -> None:
    """A storage host may label an empty object as compressed."""
    assert decompress(b"") == b""


def test_too_many_empty_members_are_an_error() -> None:
    """They take much time for few bytes."""
    assert decompress(gzip.compress(b"") * 1000 + gzip.compress(b"one")) == b"one"
    with pytest.raises(DecompressionError, match="more than 1000 empty gzip members"):
        decompress(gzip.compress(b"") * 1001)


def test_all_members_of_a_gzip_file_are_decompressed() -> None:
    """Also if a chunk ends with a member."""
    first, second = gzip.compress(b"one,"), gzip.compress(b"two" * 400_000)
    assert (
        decompress(first + second, len(first))
        == decompress(first + second, 10**9)
        == b"one," + b"two" * 400_000
    )


def test_trap_01_truncated_compressed_data_is_an_error() -> None:
    """The format marks its end."""
    with pytest.raises(DecompressionError, match="truncated"):
        decompress(gzip.compress(os.urandom(5000))[:-4])


def test_invalid_compressed_data_is_an_error() -> None:
    """The header of the response was wrong."""
    with pytest.raises(DecompressionError, match="not valid compressed data"):
        decompress(b"a,b\n1,2\n")
    with pytest.raises(DecompressionError, match="not valid compressed data"):
        decompress(b"\x1f\x8ba,b\n1,2\n")


def test_a_body_that_expands_too_much_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond 200 times its length. Up to `FREE_SIZE`, any ratio is allowed."""
    bomb = gzip.compress(bytes(20_000_000))
    assert len(decompress(bomb)) == 20_000_000
    monkeypatch.setattr(decompression, "FREE_SIZE", 1_000_000)
    with pytest.raises(DecompressionError, match="more than 200 times"):
        decompress(bomb)


def test_a_body_that_exceeds_max_size_is_an_error() -> None:
    """The limit itself is allowed."""
    body = gzip.compress(bytes(1000))
    assert len(decompress(body, max_size=1000)) == 1000
    with pytest.raises(DecompressionError, match="max_size=999"):
        decompress(body, max_size=999)
