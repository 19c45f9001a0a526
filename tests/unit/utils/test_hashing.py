"""The hashes a file can be checked by."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from packagex_async._utils import hashing


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    cached = (hashing.crc32c_factory, hashing._ctypes_char)
    for call in cached:
        call.cache_clear()
    yield
    for call in cached:
        call.cache_clear()


def known(name: str) -> bytes:
    """The check value of the algorithm's own specification: the hash of nine digits."""
    return bytes.fromhex("e3069283") if name == "crc32c" else hashlib.new(name, b"123456789").digest()


@pytest.mark.parametrize("name", ["crc32c", "md5", "sha256"])
def test_every_hash_gives_its_known_value(name: str) -> None:
    """Wherever the bytes lie: in bytes, in a view of them, in a part of a buffer; no hold of it is kept."""
    buffer = bytearray(b"0123456789")
    part = memoryview(buffer)[1:]
    for block in (b"123456789", memoryview(b"123456789"), part, part.toreadonly()):
        whole, pieces = hashing.new_hasher(name), hashing.new_hasher(name)
        whole.update(block)
        pieces.update(block[:4])
        pieces.update(block[4:])
        assert whole.digest() == pieces.digest() == known(name)
    del block, part
    buffer.clear()


def test_crc32c_without_ctypes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some build their Python without: then a block is copied."""
    monkeypatch.setitem(sys.modules, "ctypes", None)
    digest = hashing.new_hasher("crc32c")
    digest.update(memoryview(bytearray(b"123456789")))
    assert digest.digest() == known("crc32c")


def test_hashes_that_can_be_computed_are_told() -> None:
    """Only those."""
    assert all(map(hashing.is_supported, ("crc32c", "md5", "sha256")))
    assert not hashing.is_supported("sha1")


@pytest.mark.parametrize("library", [None, SimpleNamespace(implementation="python", Checksum=object)])
def test_crc32c_without_its_compiled_library_is_not_available(
    monkeypatch: pytest.MonkeyPatch, library: object
) -> None:
    """Neither missing nor in pure Python would it be a help."""
    monkeypatch.setitem(sys.modules, "google_crc32c", library)
    assert not hashing.is_supported("crc32c")
