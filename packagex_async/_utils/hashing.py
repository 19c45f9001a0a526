"""Hash functions by the names that storage hosts use: CRC-32C, MD5 and SHA-256."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Protocol


class Hasher(Protocol):
    """A running hash."""

    def update(self, chunk: bytes | memoryview, /) -> object: ...

    def digest(self) -> bytes: ...


@cache
def crc32c_factory() -> Callable[[], Hasher] | None:
    """Return the class of google-crc32c that computes CRC-32C, or `None` without its compiled version.

    The extra `speed` installs it. Its fallback in pure Python is too slow to be useful.
    """
    try:
        library = importlib.import_module("google_crc32c")
    except ImportError:
        return None
    factory: Callable[[], Hasher] = library.Checksum
    return factory if library.implementation == "c" else None


class _Crc32c:
    """An adapter for google-crc32c, which does not accept a memoryview."""

    def __init__(self, checksum: Hasher) -> None:
        self._checksum = checksum

    def update(self, chunk: bytes | memoryview, /) -> None:
        self._checksum.update(_as_buffer(chunk))

    def digest(self) -> bytes:
        return self._checksum.digest()


def _as_buffer(chunk: bytes | memoryview) -> Any:
    """Return `chunk` as a type that google-crc32c accepts, without a copy if possible.

    A copy takes as long as the CRC-32C itself.
    """
    char = None if memoryview(chunk).readonly else _ctypes_char()
    return bytes(chunk) if char is None else (char * len(chunk)).from_buffer(chunk)


@cache
def _ctypes_char() -> Any:
    """Return `ctypes.c_char`, or `None` if Python was built without ctypes."""
    try:
        return importlib.import_module("ctypes").c_char
    except ImportError:
        return None


def is_supported(algorithm: str) -> bool:
    """Return whether hashes of this name can be computed here."""
    return algorithm in ("md5", "sha256") or (algorithm == "crc32c" and crc32c_factory() is not None)


def new_hasher(algorithm: str) -> Hasher:
    """Return a running hash that has received no bytes yet."""
    factory = crc32c_factory() if algorithm == "crc32c" else None
    if factory is not None:
        return _Crc32c(factory())
    # `hashlib.new` takes more than twice as long.
    hasher: Hasher = getattr(hashlib, algorithm)(usedforsecurity=False)
    return hasher


def update_all(hashers: Mapping[str, Hasher], chunk: bytes | memoryview) -> None:
    """Add `chunk` to every hasher."""
    for hasher in hashers.values():
        hasher.update(chunk)


def digests(hashers: Mapping[str, Hasher]) -> dict[str, bytes]:
    """Return the digest of every hasher, by algorithm."""
    return {name: hasher.digest() for name, hasher in hashers.items()}
