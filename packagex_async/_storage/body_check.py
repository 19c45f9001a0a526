"""Verification of the bytes of an artifact against everything that is known about them."""

from __future__ import annotations

from collections.abc import Callable, Collection

from packagex_async._storage.download_url import DownloadUrl
from packagex_async._storage.object_metadata import ObjectMetadata
from packagex_async._storage.response_check import PAGE, is_page
from packagex_async._storage.storage_errors import incomplete_body_error, unusable_body_error
from packagex_async.errors import ChecksumError
from packagex_async.report import Verified


def verify_body(
    url: DownloadUrl,
    metadata: ObjectMetadata,
    *,
    received: int,
    size: int,
    digests_of: Callable[[str], Collection[bytes]],
    start: bytes,
) -> Verified:
    """Check the bytes of an artifact against everything that is known about it.

    Args:
        url: The URL that was requested.
        metadata: The metadata of the object.
        received: The number of bytes that arrived.
        size: The number of bytes after decoding.
        digests_of: Returns the digests for an algorithm: of the bytes as they arrived, and as decoded. A
            declared hash must be one of them.
        start: The first bytes of the decoded artifact.

    Returns:
        How the bytes were verified.

    Raises:
        IncompleteBodyError: There are fewer or more bytes than declared.
        ChecksumError: The bytes do not have a declared hash.
        StorageError: The bytes are a web page or an error document, and no hash was declared.
    """
    for expected, actual in ((metadata.length, received), (metadata.size, size)):
        if expected is not None and actual != expected:
            raise incomplete_body_error(url, actual, expected)
    for algorithm, digest in sorted(metadata.hashes):
        if digest not in digests_of(algorithm):
            raise _checksum_error(url, metadata, algorithm, size)
    if metadata.hashes:
        return "checksum"
    if is_page(start):
        raise unusable_body_error(url, PAGE)
    return "none" if metadata.length is None and metadata.size is None else "length"


def _checksum_error(url: DownloadUrl, metadata: ObjectMetadata, algorithm: str, size: int) -> ChecksumError:
    other = metadata.disputed_size
    dispute = "" if other is None else f"; it declared {other} bytes before"
    return ChecksumError(
        f"the {size} bytes that arrived do not have the {algorithm} that the storage host declares{dispute}",
        export_id=url.export_id,
        artifact=url.artifact,
    )
