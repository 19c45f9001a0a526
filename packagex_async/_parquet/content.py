"""The bytes of a Parquet file before its footer, and their hash in the footer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import BinaryIO, NamedTuple, Self

from packagex_async._files.operations import CHUNK_SIZE
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

    def is_in(self, open_file: Callable[[], BinaryIO]) -> bool:
        """Return whether a file starts with these bytes.

        Args:
            open_file: Opens the file.

        Raises:
            OSError: The file cannot be read, or is not a regular file.
        """
        hasher = new_hasher("sha256")
        remaining = self.size
        with open_file() as file:
            while remaining > 0 and (block := file.read(min(remaining, CHUNK_SIZE))):
                hasher.update(block)
                remaining -= len(block)
        return remaining == 0 and hasher.digest().hex() == self.sha256
