"""A body that arrives compressed is decoded in a stream, within bounds."""

from __future__ import annotations

import gzip
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async._utils import decompression
from packagex_async._utils.decompression import DecompressionError, Decompressor


def decoded(body: bytes, step: int = 1000, max_size: int | None = None, encoding: str = "gzip") -> bytes:
    decoder = Decompressor(encoding, max_size)
    pieces = [piece for at in range(0, len(body), step) for piece in decoder.feed(body[at : at + step])]
    decoder.end()
    return b"".join(pieces)


@given(st.binary(max_size=5000), st.integers(1, 700))
def test_gzip_and_deflate_come_out_as_they_went_in(content: bytes, step: int) -> None:
    """However the body is cut into blocks."""
    assert decoded(gzip.compress(content), step) == content
    assert decoded(zlib.compress(content), step) == content
    assert decoded(zlib.compress(content), step, encoding="deflate") == content


@given(st.binary(max_size=5000), st.integers(1, 700))
def test_raw_deflate_is_decoded(content: bytes, step: int) -> None:
    """Some servers send deflate without the zlib header."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    raw = packer.compress(content) + packer.flush()
    assert decoded(raw, step, encoding="deflate") == content
    if not raw.startswith((b"\x1f\x8b", b"x")):
        with pytest.raises(DecompressionError, match="not valid compressed data"):
            decoded(raw)


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_zeros_behind_a_member_are_padding(step: int) -> None:
    """At the end of the body, and between two members; anything else there is not compressed data."""
    padded = gzip.compress(b"one,") + bytes(1500)
    assert decoded(padded, step) == b"one,"
    assert decoded(padded + gzip.compress(b"two"), step) == b"one,two"
    assert decoded(zlib.compress(b"one") + bytes(9), step, encoding="deflate") == b"one"
    with pytest.raises(DecompressionError, match="not valid compressed data"):
        decoded(padded + b"surplus", step)
    with pytest.raises(DecompressionError, match="truncated"):
        decoded(padded + b"\x1f", step)


def test_a_body_without_bytes_is_an_empty_object() -> None:
    """A store may label an empty object as compressed."""
    assert decoded(b"") == b""


def test_many_empty_members_are_refused() -> None:
    """Each costs much more time than it has bytes."""
    assert decoded(gzip.compress(b"") * 1000 + gzip.compress(b"one")) == b"one"
    with pytest.raises(DecompressionError, match="more than 1000 empty gzip members"):
        decoded(gzip.compress(b"") * 1001)


def test_every_member_of_a_gzip_file_is_decoded() -> None:
    """Also where a block ends with one."""
    first, second = gzip.compress(b"one,"), gzip.compress(b"two" * 400_000)
    assert decoded(first + second, len(first)) == decoded(first + second, 10**9) == b"one," + b"two" * 400_000


def test_trap_01_a_compressed_body_that_breaks_off_is_no_whole() -> None:
    """Its end is part of its format."""
    with pytest.raises(DecompressionError, match="truncated"):
        decoded(gzip.compress(os.urandom(5000))[:-4])


def test_what_is_not_compressed_is_refused() -> None:
    """The header lied."""
    with pytest.raises(DecompressionError, match="not valid compressed data"):
        decoded(b"a,b\n1,2\n")
    with pytest.raises(DecompressionError, match="not valid compressed data"):
        decoded(b"\x1f\x8ba,b\n1,2\n")


def test_a_body_that_swells_beyond_measure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small bomb is no artifact; much data from little is fine up to a size that harms nobody."""
    bomb = gzip.compress(bytes(20_000_000))
    assert len(decoded(bomb)) == 20_000_000
    monkeypatch.setattr(decompression, "FREE_SIZE", 1_000_000)
    with pytest.raises(DecompressionError, match="more than 200 times"):
        decoded(bomb)


def test_a_body_that_decodes_to_more_than_asked_for_is_refused() -> None:
    """At the bound it is fine."""
    body = gzip.compress(bytes(1000))
    assert len(decoded(body, max_size=1000)) == 1000
    with pytest.raises(DecompressionError, match="max_size=999"):
        decoded(body, max_size=999)
