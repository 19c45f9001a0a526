"""Responders for the raw storage server: a correct response, or a correct response with one change."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from tests.faults.storage_server import ConnectionEnd, RawResponse, Request, Responder, StoredObject

Headers = Mapping[str, str | None]
"""Headers to set; `None` removes a header."""

NO_HEADERS: Headers = {}


def correct_response(request: Request, stored: StoredObject) -> RawResponse:
    """Respond with the object, or with the requested range of it."""
    tag = stored.headers.get("ETag")
    first, size = request.range_start, len(stored.content)
    if first is None or request.headers.get("If-Range", tag) != tag:
        return _ok(stored)
    last = size - 1 if request.range_end is None else min(request.range_end, size - 1)
    return _partial_content(stored, first, last) if first < size else _range_not_satisfiable(size)


def altered_response(
    *,
    status: str | None = None,
    headers: Headers = NO_HEADERS,
    body: bytes | None = None,
    truncate_at: int | None = None,
    ending: ConnectionEnd | None = None,
    version: str = "HTTP/1.1",
) -> Responder:
    """Change the given parts of a correct response; the connection is closed after a truncated body."""

    def respond(request: Request, stored: StoredObject) -> RawResponse:
        response = correct_response(request, stored).with_headers(headers)
        sent = response.body if body is None else body
        return attrs.evolve(
            response,
            status=status or response.status,
            body=sent[:truncate_at],
            ending=ending or (ConnectionEnd.KEEP_ALIVE if truncate_at is None else ConnectionEnd.FIN),
            version=version,
        )

    return respond


def truncated_response(
    size: int, ending: ConnectionEnd = ConnectionEnd.FIN, headers: Headers = NO_HEADERS
) -> Responder:
    """End the connection after `size` bytes of the body."""
    return altered_response(truncate_at=size, ending=ending, headers=headers)


def partial_response(first: int, last: int | None = None, headers: Headers = NO_HEADERS) -> Responder:
    """Respond with a 206 and the bytes from `first` to `last`, regardless of the requested range."""

    def respond(_: Request, stored: StoredObject) -> RawResponse:
        end = len(stored.content) - 1 if last is None else last
        return _partial_content(stored, first, end).with_headers(headers)

    return respond


def full_response(headers: Headers = NO_HEADERS) -> Responder:
    """Respond with a 200 and the complete object, regardless of the requested range."""
    return lambda _, stored: _ok(stored).with_headers(headers)


def text_response(
    status: str,
    text: str = "",
    headers: Headers = NO_HEADERS,
    ending: ConnectionEnd = ConnectionEnd.KEEP_ALIVE,
) -> Responder:
    """Respond with another status, and with a text instead of the object."""
    body = text.encode()
    length = {"Content-Length": str(len(body))}
    response = RawResponse(status=status, headers=length, body=body, ending=ending)
    return lambda _, __: response.with_headers(headers)


def encode_chunks(body: bytes, size: int = 10_000) -> bytes:
    """Return `body` in the chunked transfer coding."""
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])


CHUNKED: Headers = {"Content-Length": None, "Transfer-Encoding": "chunked"}
NO_HASH: Headers = {"x-goog-hash": None}
NO_VALIDATORS: Headers = {"ETag": None, "x-goog-generation": None, "Last-Modified": None}


def _ok(stored: StoredObject) -> RawResponse:
    headers = {**stored.headers, "Content-Length": str(len(stored.content))}
    return RawResponse(status="200 OK", headers=headers, body=stored.content)


def _partial_content(stored: StoredObject, first: int, last: int) -> RawResponse:
    body = stored.content[first : last + 1]
    content_range = f"bytes {first}-{last}/{len(stored.content)}"
    headers = {**stored.headers, "Content-Range": content_range, "Content-Length": str(len(body))}
    return RawResponse(status="206 Partial Content", headers=headers, body=body)


def _range_not_satisfiable(size: int) -> RawResponse:
    headers = {"Content-Range": f"bytes */{size}", "Content-Length": "0"}
    return RawResponse(status="416 Range Not Satisfiable", headers=headers, body=b"")
