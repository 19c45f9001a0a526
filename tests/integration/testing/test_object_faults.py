"""Faults in how the storage server serves an object."""

from __future__ import annotations

import gzip

from packagex_async.testing import (
    Emulator,
    Encoded,
    IgnoreRange,
    NoHash,
    NoTag,
    Transcoded,
    Undeclared,
    WrongHash,
    WrongRange,
)
from tests.integration.testing.client import BODY, fetch


async def test_range_faults(server: Emulator, url: str) -> None:
    """An ignored range returns the complete object; a wrong range has a matching `Content-Range`."""
    server.inject(IgnoreRange())
    server.inject(WrongRange(by=-50))
    assert (await fetch(url)).status == 200
    assert (await fetch(url, Range="bytes=100-199")).body == BODY
    wrong = await fetch(url, Range="bytes=100-199")
    assert (wrong.status, wrong.body) == (206, BODY[50:200])
    assert wrong.headers["Content-Range"] == "bytes 50-199/2048"
    assert (await fetch(url, Range="bytes=100-")).body == BODY[100:]


async def test_hash_faults(server: Emulator, url: str) -> None:
    """Hashes are wrong or missing; without an ETag, the generation is still sent."""
    regular = await fetch(url)
    for fault in (WrongHash(), NoHash(), NoTag(), WrongHash()):
        server.inject(fault)
    wrong = await fetch(url)
    assert wrong.body == BODY
    for name in ("x-goog-hash", "Content-MD5"):
        assert wrong.headers[name] != regular.headers[name]
    without_hash = await fetch(url)
    assert not {"x-goog-hash", "Content-MD5"} & without_hash.headers.keys()
    assert without_hash.headers["Content-Length"] == "2048"
    without_tag = await fetch(url)
    assert "ETag" not in without_tag.headers
    assert without_tag.headers["x-goog-generation"] == regular.headers["x-goog-generation"]
    assert "Content-MD5" not in (await fetch(url, Range="bytes=5-")).headers


async def test_encoding_faults(server: Emulator, url: str) -> None:
    """Chunked without a hash, unrequested gzip, and decompressed gzip. All ignore ranges."""
    for fault in (Undeclared(), Encoded(), Transcoded()):
        server.inject(fault)
    chunked, zipped, decompressed = [await fetch(url, Range="bytes=9-") for _ in range(3)]
    assert chunked.body == decompressed.body == BODY
    assert gzip.decompress(zipped.body) == BODY
    for response in (chunked, decompressed):
        assert (response.status, response.headers["Transfer-Encoding"]) == (200, "chunked")
        assert not {"Content-Length", "Content-MD5"} & response.headers.keys()
    assert "x-goog-hash" not in chunked.headers
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert int(zipped.headers["Content-Length"]) == len(zipped.body)
    assert decompressed.headers["x-goog-hash"] == zipped.headers["x-goog-hash"]
    assert decompressed.headers["x-goog-stored-content-encoding"] == "gzip"
