"""What goes wrong with an object itself: its ranges, its hashes, its encoding, its link."""

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

_FROM = re.compile(r"bytes=(\d+)-")
_NO_HASH = {"x-goog-hash": None, "Content-MD5": None}


class _Deaf(TargetedFault):
    """Storage that does not hear of ranges."""

    def hear(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        return request.without("Range", "If-Range")


@attrs.frozen
class IgnoreRange(_Deaf):
    """A request for a part is answered 200 with the whole; others pass untouched and unspent."""

    def strikes(self, request: RecordedRequest) -> bool:
        return "Range" in request.headers and super().strikes(request)


@attrs.frozen
class WrongRange(TargetedFault):
    """A request for `bytes=a-` or `bytes=a-b` is answered 206 from `by` bytes elsewhere, and says so."""

    by: int

    def strikes(self, request: RecordedRequest) -> bool:
        return _FROM.match(request.headers.get("Range", "")) is not None and super().strikes(request)

    def hear(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        moved = _FROM.sub(lambda found: f"bytes={max(int(found[1]) + self.by, 0)}-", request.headers["Range"])
        return request.having({**request.without("Range").headers, "Range": moved})


@attrs.frozen
class Expired(TargetedFault):
    """The link has expired, whatever the clock says."""

    def hear(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        return attrs.evolve(request, at=math.inf)


@attrs.frozen
class WrongHash(TargetedFault):
    """The declared hashes are another content's."""

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        other = reply.body + b"!"
        wrong = {"x-goog-hash": goog_hash(other), "Content-MD5": md5(other)}
        return reply.having({name: text for name, text in wrong.items() if name in reply.headers})


@attrs.frozen
class NoHash(TargetedFault):
    """No hash is declared; the length still is."""

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        return reply.having(_NO_HASH)


@attrs.frozen
class NoTag(TargetedFault):
    """There is no ETag; `x-goog-generation` still names the content."""

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        return reply.having({"ETag": None})


@attrs.frozen
class Undeclared(_Deaf):
    """The whole comes in chunks, without length or hash."""

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        return attrs.evolve(reply.having(_NO_HASH), declared=None)


@attrs.frozen
class Encoded(_Deaf):
    """The whole comes as gzip, though identity was asked for; length and hash are those of the gzip."""

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        zipped = gzip.compress(reply.body, mtime=0)
        headers = {"Content-Encoding": "gzip", "x-goog-hash": goog_hash(zipped), "Content-MD5": md5(zipped)}
        return attrs.evolve(reply.having(headers), body=zipped, declared=len(zipped))


@attrs.frozen
class Transcoded(_Deaf):
    """An object stored as gzip arrives decompressed, in chunks, with the hash of the gzip, as from GCS."""

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        stored = goog_hash(gzip.compress(reply.body, mtime=0))
        headers = {**_NO_HASH, "x-goog-hash": stored, "x-goog-stored-content-encoding": "gzip"}
        return attrs.evolve(reply.having(headers), declared=None)
