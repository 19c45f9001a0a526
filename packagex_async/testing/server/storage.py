"""The storage port: it knows nobody, and gives an object to whoever holds a link, taken literally."""

from __future__ import annotations

import attrs

from packagex_async.testing.data.blobs import Blob
from packagex_async.testing.data.store import Store
from packagex_async.testing.server import signing
from packagex_async.testing.server.ranges import UnsatisfiableRangeError, requested_range
from packagex_async.testing.server.reply import Reply
from packagex_async.testing.server.request import Host, RecordedRequest

_UNSIGNED = frozenset({"px-api-key", "x-api-key", "authorization", "cookie"})


@attrs.frozen(kw_only=True)
class Storage:
    """Answers the requests of the storage port from what `store` holds."""

    store: Store
    signer: signing.Signer = attrs.field(repr=False)

    host: Host = attrs.field(default="storage", init=False)

    def locate(self, path: str) -> tuple[str | None, str | None]:
        """The export id and the artifact a path names."""
        return signing.locate(path)

    def answer(self, request: RecordedRequest) -> Reply:
        """The honest answer."""
        if (refusal := self._refusal(request)) is not None:
            return refusal
        blob = self.store.blob(request.export_id, request.artifact)
        if blob is None:
            return _xml_error(404, "NoSuchKey", "The specified key does not exist.")
        return _object(request, blob)

    def _refusal(self, request: RecordedRequest) -> Reply | None:
        expires = self.signer.expiry(request.target)
        if request.method != "GET" or expires is None:
            return _xml_error(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the one you gave.",
            )
        if request.at >= expires:
            return _xml_error(403, "AccessDenied", "Request has expired")
        if any(name.lower() in _UNSIGNED or name.lower().startswith("x-amz-") for name in request.headers):
            return _xml_error(
                403, "AccessDenied", "There were headers present in the request which were not signed"
            )
        return None


def _object(request: RecordedRequest, blob: Blob) -> Reply:
    size = len(blob.content)
    asked = request.headers.get("Range")
    if request.headers.get("If-Range", blob.etag) != blob.etag:
        asked = None
    try:
        part = requested_range(asked, size)
    except UnsatisfiableRangeError:
        refusal = _xml_error(416, "InvalidRange", "The requested range is not satisfiable")
        return refusal.having({"Content-Range": f"bytes */{size}"})
    if part is None:
        return Reply.of(200, blob.content, {**blob.headers, "Content-MD5": blob.md5})
    start, stop = part
    headers = {**blob.headers, "Content-Range": f"bytes {start}-{stop - 1}/{size}"}
    return Reply.of(206, blob.content[start:stop], headers)


def _xml_error(status: int, code: str, message: str) -> Reply:
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
    return Reply.of(status, text.encode(), {"Content-Type": "application/xml"})
