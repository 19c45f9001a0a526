"""Faults in how the storage server serves an object: ranges, hashes, encoding, expiry."""

from __future__ import annotations

import gzip
import math
import re

import attrs

from packagex_async.testing.data.blobs import goog_hash, md5
from packagex_async.testing.data.store import Store
from packagex_async.testing.faults import TargetedFault
from packagex_async.testing.server.reply import Reply
from packagex_async.testing.server.request import RecordedRequest

_RANGE_START = re.compile(r"bytes=(\d+)-")
_NO_HASHES = {"x-goog-hash": None, "Content-MD5": None}


class _RangeIgnoringFault(TargetedFault):
    """A fault of a server that ignores `Range`."""

    def rewrite_request(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        return request.without_headers("Range", "If-Range")


@attrs.frozen
class IgnoreRange(_RangeIgnoringFault):
    """A range request gets a 200 response with the complete object. Other requests do not match."""

    def matches(self, request: RecordedRequest) -> bool:
        return "Range" in request.headers and super().matches(request)


@attrs.frozen
class WrongRange(TargetedFault):
    """A range request gets a 206 response that starts `by` bytes later, with a matching `Content-Range`."""

    by: int

    def matches(self, request: RecordedRequest) -> bool:
        return _RANGE_START.match(request.headers.get("Range", "")) is not None and super().matches(request)

    def rewrite_request(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        moved = _RANGE_START.sub(
            lambda match: f"bytes={max(int(match[1]) + self.by, 0)}-", request.headers["Range"]
        )
        return request.with_headers({**request.without_headers("Range").headers, "Range": moved})


@attrs.frozen
class Expired(TargetedFault):
    """The signed URL is treated as expired."""

    def rewrite_request(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        return attrs.evolve(request, at=math.inf)


@attrs.frozen
class WrongHash(TargetedFault):
    """The declared hashes do not match the content."""

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        other = reply.body + b"!"
        wrong = {"x-goog-hash": goog_hash(other), "Content-MD5": md5(other)}
        return reply.with_headers({name: value for name, value in wrong.items() if name in reply.headers})


@attrs.frozen
class NoHash(TargetedFault):
    """No hash is declared. `Content-Length` is."""

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        return reply.with_headers(_NO_HASHES)


@attrs.frozen
class NoTag(TargetedFault):
    """The response has no `ETag`. `x-goog-generation` still identifies the content."""

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        return reply.with_headers({"ETag": None})


@attrs.frozen
class Undeclared(_RangeIgnoringFault):
    """The complete object is sent with chunked transfer encoding, without a length or a hash."""

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        return attrs.evolve(reply.with_headers(_NO_HASHES), content_length=None)


@attrs.frozen
class Encoded(_RangeIgnoringFault):
    """The complete object is sent as gzip although identity was requested; the hashes are of the gzip."""

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        zipped = gzip.compress(reply.body, mtime=0)
        headers = {"Content-Encoding": "gzip", "x-goog-hash": goog_hash(zipped), "Content-MD5": md5(zipped)}
        return attrs.evolve(reply.with_headers(headers), body=zipped, content_length=len(zipped))


@attrs.frozen
class Transcoded(_RangeIgnoringFault):
    """A gzip object is sent decompressed and chunked, with the hash of the gzip, as Cloud Storage does."""

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        stored = goog_hash(gzip.compress(reply.body, mtime=0))
        headers = {**_NO_HASHES, "x-goog-hash": stored, "x-goog-stored-content-encoding": "gzip"}
        return attrs.evolve(reply.with_headers(headers), content_length=None)
