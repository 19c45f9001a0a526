"""The hashes a file can be checked by, under the names storage hosts give them."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol


class Hasher(Protocol):
    """A hash in the making."""

    def update(self, block: bytes | memoryview, /) -> object: ...

    def digest(self) -> bytes: ...


@cache
def crc32c_factory() -> Callable[[], Hasher] | None:
    """What makes a CRC-32C, or `None` without the extra `speed`: in pure Python it would be no help."""
    try:
        library = importlib.import_module("google_crc32c")
    except ImportError:
        return None
    maker: Callable[[], Hasher] = library.Checksum
    return maker if library.implementation == "c" else None


class _Crc32c:
    """The library's CRC-32C, which takes no view of any bytes."""

    def __init__(self, checksum: Hasher) -> None:
        self._checksum = checksum

    def update(self, block: bytes | memoryview, /) -> None:
        self._checksum.update(_as_buffer(block))

    def digest(self) -> bytes:
        return self._checksum.digest()


def _as_buffer(block: bytes | memoryview) -> Any:
    """`block` as the library takes it, copied only where it must be: that takes as long as to hash it."""
    char = None if memoryview(block).readonly else _ctypes_char()
    return bytes(block) if char is None else (char * len(block)).from_buffer(block)


@cache
def _ctypes_char() -> Any:
    """C's `char`, or `None` where Python was built without ctypes."""
    try:
        return importlib.import_module("ctypes").c_char
    except ImportError:
        return None


def is_supported(algorithm: str) -> bool:
    """Whether hashes of this name can be computed here."""
    return algorithm in ("md5", "sha256") or (algorithm == "crc32c" and crc32c_factory() is not None)


def new_hasher(algorithm: str) -> Hasher:
    """A hash over nothing yet."""
    maker = crc32c_factory() if algorithm == "crc32c" else None
    return _Crc32c(maker()) if maker else hashlib.new(algorithm, usedforsecurity=False)
