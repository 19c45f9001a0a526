"""The hashes a file can be checked by, under the names storage hosts give them."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol


class Digest(Protocol):
    """A hash in the making."""

    def update(self, block: bytes | memoryview, /) -> object: ...

    def digest(self) -> bytes: ...


@cache
def crc32c() -> Callable[[], Digest] | None:
    """What makes a CRC-32C, or `None` without the extra `speed`: in pure Python it would be no help."""
    try:
        library = importlib.import_module("google_crc32c")
    except ImportError:
        return None
    maker: Callable[[], Digest] = library.Checksum
    return maker if library.implementation == "c" else None


class _Crc32c:
    """The library's CRC-32C, which takes no view of any bytes."""

    def __init__(self, checksum: Digest) -> None:
        self._checksum = checksum

    def update(self, block: bytes | memoryview, /) -> None:
        self._checksum.update(_at_hand(block))

    def digest(self) -> bytes:
        return self._checksum.digest()


def _at_hand(block: bytes | memoryview) -> Any:
    """`block` as the library takes it, copied only where it must be: that takes as long as to hash it."""
    char = None if memoryview(block).readonly else _char()
    return bytes(block) if char is None else (char * len(block)).from_buffer(block)


@cache
def _char() -> Any:
    """C's `char`, or `None` where Python was built without ctypes."""
    try:
        return importlib.import_module("ctypes").c_char
    except ImportError:
        return None


def available(algorithm: str) -> bool:
    """Whether hashes of this name can be computed here."""
    return algorithm in ("md5", "sha256") or (algorithm == "crc32c" and crc32c() is not None)


def new(algorithm: str) -> Digest:
    """A hash over nothing yet."""
    maker = crc32c() if algorithm == "crc32c" else None
    return _Crc32c(maker()) if maker else hashlib.new(algorithm, usedforsecurity=False)
