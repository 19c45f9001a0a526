"""The storage server: it serves objects by signed URL."""

from __future__ import annotations

import attrs

from packagex_async.testing.data.blobs import Blob
from packagex_async.testing.data.store import Store
from packagex_async.testing.server import signing
from packagex_async.testing.server.ranges import UnsatisfiableRangeError, parse_range
from packagex_async.testing.server.reply import Reply
from packagex_async.testing.server.request import Host, RecordedRequest

_FORBIDDEN_HEADERS = frozenset({"px-api-key", "x-api-key", "authorization", "cookie"})


@attrs.frozen(kw_only=True)
class Storage:
    """Answers requests for the objects in `store`."""

    store: Store
    signer: signing.Signer = attrs.field(repr=False)

    host: Host = attrs.field(default="storage", init=False)

    def parse_path(self, path: str) -> tuple[str | None, str | None]:
        """Return the export id and the artifact name in `path`."""
        return signing.parse_path(path)

    def respond(self, request: RecordedRequest) -> Reply:
        """Return the regular response to `request`."""
        if (error := self._check(request)) is not None:
            return error
        blob = self.store.blob(request.export_id, request.artifact)
        if blob is None:
            return _xml_error(404, "NoSuchKey", "The specified key does not exist.")
        return _serve_blob(request, blob)

    def _check(self, request: RecordedRequest) -> Reply | None:
        expires = self.signer.expiry(request.target)
        if request.method != "GET" or expires is None:
            return _xml_error(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the one you gave.",
            )
        if request.at >= expires:
            return _xml_error(403, "AccessDenied", "Request has expired")
        names = [name.lower() for name in request.headers]
        if any(name in _FORBIDDEN_HEADERS or name.startswith("x-amz-") for name in names):
            return _xml_error(
                403, "AccessDenied", "There were headers present in the request which were not signed"
            )
        return None


def _serve_blob(request: RecordedRequest, blob: Blob) -> Reply:
    size = len(blob.content)
    requested = request.headers.get("Range")
    if request.headers.get("If-Range", blob.etag) != blob.etag:
        requested = None
    try:
        byte_range = parse_range(requested, size)
    except UnsatisfiableRangeError:
        error = _xml_error(416, "InvalidRange", "The requested range is not satisfiable")
        return error.with_headers({"Content-Range": f"bytes */{size}"})
    if byte_range is None:
        return Reply.of(200, blob.content, {**blob.headers, "Content-MD5": blob.md5})
    start, stop = byte_range
    headers = {**blob.headers, "Content-Range": f"bytes {start}-{stop - 1}/{size}"}
    return Reply.of(206, blob.content[start:stop], headers)


def _xml_error(status: int, code: str, message: str) -> Reply:
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
    return Reply.of(status, text.encode(), {"Content-Type": "application/xml"})
