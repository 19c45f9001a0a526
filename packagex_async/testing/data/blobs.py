"""A stored object: its bytes and its response headers."""

from __future__ import annotations

import base64
import hashlib
import importlib
from email.utils import formatdate
from functools import cached_property

import attrs


@attrs.frozen(kw_only=True, slots=False)
class Blob:
    """An object of the storage server.

    Attributes:
        content: The bytes.
        generation: The version number. It is unique within the store.
        modified: The modification time in seconds since the epoch.
    """

    content: bytes = attrs.field(repr=False)
    generation: int
    modified: float

    @cached_property
    def etag(self) -> str:
        """A strong ETag. It is not the MD5 of the content, as is common in practice."""
        digest = hashlib.sha256(b"%d:%b" % (self.generation, self.content))
        return f'"{digest.hexdigest()[:32]}-1"'

    @cached_property
    def md5(self) -> str:
        """The MD5 of the content, in base64."""
        return md5(self.content)

    @cached_property
    def headers(self) -> dict[str, str]:
        """The response headers of the object, for complete and partial responses."""
        return {
            "Content-Type": "application/octet-stream",
            "ETag": self.etag,
            "Last-Modified": formatdate(self.modified, usegmt=True),
            "Accept-Ranges": "bytes",
            "x-goog-generation": str(self.generation),
            "x-goog-hash": goog_hash(self.content),
        }


def md5(content: bytes) -> str:
    """Return the MD5 of `content`, in base64."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def goog_hash(content: bytes) -> str:
    """Return the value of `x-goog-hash` for `content`, with CRC32C if google-crc32c is installed."""
    try:
        crc32c = importlib.import_module("google_crc32c")
    except ImportError:
        return f"md5={md5(content)}"
    checksum = int(crc32c.value(content)).to_bytes(4, "big")
    return f"crc32c={base64.b64encode(checksum).decode()},md5={md5(content)}"
