"""Stored objects and their response headers."""

from __future__ import annotations

import base64
import hashlib

from packagex_async.testing.data.blobs import Blob, goog_hash, md5


def test_hashes() -> None:
    """They are base64."""
    assert md5(b"abc") == base64.b64encode(hashlib.md5(b"abc").digest()).decode()
    assert goog_hash(b"abc").endswith(f"md5={md5(b'abc')}")


def test_etag_depends_on_content_and_generation() -> None:
    """It is strong, and not the MD5."""
    blob = Blob(content=b"abc", generation=1, modified=0.0)
    others = [
        Blob(content=b"abd", generation=1, modified=0.0),
        Blob(content=b"abc", generation=2, modified=0.0),
    ]
    assert blob.etag not in [other.etag for other in others]
    assert blob.etag == Blob(content=b"abc", generation=1, modified=9.0).etag
    assert blob.etag[0] == blob.etag[-1] == '"'
    assert hashlib.md5(b"abc").hexdigest() not in blob.etag


def test_headers() -> None:
    """They identify the content."""
    headers = Blob(content=b"abc", generation=5, modified=0.0).headers
    assert headers["Last-Modified"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert (headers["x-goog-generation"], headers["x-goog-hash"]) == ("5", goog_hash(b"abc"))
