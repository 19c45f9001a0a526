"""Hashes have their standard values, with and without optional libraries."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from packagex_async._utils import hashing


@pytest.fixture(autouse=True)
def _clear_caches() -> Iterator[None]:
    cached = (hashing.crc32c_factory, hashing._ctypes_char)
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


def check_value(name: str) -> bytes:
    """Return the hash of `123456789`, which specifications use as an example."""
    return bytes.fromhex("e3069283") if name == "crc32c" else hashlib.new(name, b"123456789").digest()


@pytest.mark.parametrize("name", ["crc32c", "md5", "sha256"])
def test_every_hash_has_its_check_value(name: str) -> None:
    """For bytes, a view, and a part of a buffer, which is released afterwards."""
    buffer = bytearray(b"0123456789")
    part = memoryview(buffer)[1:]
    for chunk in (b"123456789", memoryview(b"123456789"), part, part.toreadonly()):
        whole, pieces = hashing.new_hasher(name), hashing.new_hasher(name)
        whole.update(chunk)
        pieces.update(chunk[:4])
        pieces.update(chunk[4:])
        assert whole.digest() == pieces.digest() == check_value(name)
    del chunk, part
    buffer.clear()


def test_crc32c_without_ctypes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python may be built without it. Then chunks are copied."""
    monkeypatch.setitem(sys.modules, "ctypes", None)
    hasher = hashing.new_hasher("crc32c")
    hasher.update(memoryview(bytearray(b"123456789")))
    assert hasher.digest() == check_value("crc32c")


def test_supported_hashes() -> None:
    """Other hashes are not supported, even if hashlib has them."""
    assert all(map(hashing.is_supported, ("crc32c", "md5", "sha256")))
    assert not hashing.is_supported("sha1")


@pytest.mark.parametrize("library", [None, SimpleNamespace(implementation="python", Checksum=object)])
def test_crc32c_is_not_supported_without_a_compiled_library(
    monkeypatch: pytest.MonkeyPatch, library: object
) -> None:
    """The version in pure Python is too slow."""
    monkeypatch.setitem(sys.modules, "google_crc32c", library)
    assert not hashing.is_supported("crc32c")


def test_several_hashes_are_updated_together() -> None:
    """The digests have the names of the algorithms."""
    hashers = {name: hashing.new_hasher(name) for name in ("md5", "sha256")}
    for chunk in (b"1234", b"56789"):
        hashing.update_all(hashers, chunk)
    assert hashing.digests(hashers) == {name: check_value(name) for name in ("md5", "sha256")}
