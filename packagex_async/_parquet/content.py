"""The bytes of a Parquet file before its footer, and their hash in the footer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

from packagex_async._files.operations import CHUNK_SIZE
from packagex_async._files.paths import open_regular
from packagex_async._utils.hashing import new_hasher

_SIZE = "packagex.content_size"
_SHA256 = "packagex.content_sha256"


class Content(NamedTuple):
    """The bytes of a Parquet file before its footer.

    Attributes:
        size: The number of bytes.
        sha256: Their SHA-256 in hexadecimal.
    """

    size: int
    sha256: str

    def to_metadata(self) -> dict[str, str]:
        """Return the metadata for the Parquet file."""
        return {_SIZE: str(self.size), _SHA256: self.sha256}

    @classmethod
    def from_metadata(cls, metadata: Mapping[bytes, bytes]) -> Self | None:
        """Read the metadata of a Parquet file; return `None` if it is from another program."""
        try:
            return cls(int(metadata[_SIZE.encode()]), metadata[_SHA256.encode()].decode())
        except (KeyError, ValueError):
            return None

    def is_in(self, path: Path) -> bool:
        """Return whether the file at `path` starts with these bytes.

        Raises:
            OSError: The file cannot be read, or is not a regular file.
        """
        hasher = new_hasher("sha256")
        remaining = self.size
        file = open_regular(path, os.O_RDONLY)
        try:
            while remaining > 0 and (block := os.read(file, min(remaining, CHUNK_SIZE))):
                hasher.update(block)
                remaining -= len(block)
        finally:
            os.close(file)
        return remaining == 0 and hasher.digest().hex() == self.sha256
