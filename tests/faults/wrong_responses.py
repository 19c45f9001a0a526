"""Responses that contradict the object that the client has begun to download."""

from __future__ import annotations

from tests.faults.responses import (
    CHUNKED,
    NO_HASH,
    NO_HEADERS,
    NO_VALIDATORS,
    Headers,
    encode_chunks,
)
from tests.faults.storage_server import (
    RawResponse,
    Request,
    Responder,
    ServerAction,
    StoredObject,
)

AFTER = 30_000

UNIDENTIFIED: Headers = {**NO_HASH, **NO_VALIDATORS}


def remainder_response(
    headers: Headers = NO_HEADERS, *, status: str = "200 OK", start: int = AFTER
) -> Responder:
    """Respond with the bytes from `start` on as if they were the complete object."""

    def respond(_: Request, stored: StoredObject) -> ServerAction:
        body = stored.content[start:]
        headers_sent = {**stored.headers, "Content-Length": str(len(body))}
        return RawResponse(status=status, headers=headers_sent, body=body).with_headers(headers)

    return respond


def chunked_remainder_response(_: Request, stored: StoredObject) -> ServerAction:
    """Respond with the bytes from `AFTER` on, without a length."""
    return RawResponse(
        status="200 OK", headers=stored.headers, body=encode_chunks(stored.content[AFTER:])
    ).with_headers(CHUNKED)


REMAINDERS: list[Responder] = [
    remainder_response(),
    remainder_response({"Content-Range": "bytes 30000-99999/100000"}),
    remainder_response({"Content-Range": "bytes 0-69999/70000"}),
    remainder_response({"Content-Range": "bytes */70000"}),
    remainder_response({"Content-Range": "nonsense"}),
    remainder_response(UNIDENTIFIED),
    remainder_response({"ETag": 'W/"1"', "x-goog-generation": None}),
    remainder_response({"ETag": None, "x-goog-generation": None}),
    chunked_remainder_response,
]

REMAINDER_IDS = [
    "bare",
    "range",
    "whole-range",
    "no-range",
    "odd-range",
    "unidentified",
    "weak",
    "date",
    "chunked",
]

LOGIN_PAGE = "<!DOCTYPE html>\n<html><body>Log in</body></html>"

WEB_PAGES = [
    ("text/html; charset=utf-8", LOGIN_PAGE),
    ("text/html", ""),
    ("text/csv", LOGIN_PAGE),
    ("application/octet-stream", f"\ufeff  {LOGIN_PAGE}"),
    (None, "<html lang='en'></html>"),
    (None, f"<html><!--{'-' * 100_000}--></html>"),
    ("application/xml", "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"),
    ("application/json", "<Error><Code>SlowDown</Code></Error>"),
    ("text/csv", "<ErrorResponse/>"),
    ("text/csv", "\n" * 500 + LOGIN_PAGE),
    ("text/csv", f"<!-- {LOGIN_PAGE} -->"),
    ("text/csv", "<script>location = '/login'</script>"),
    ("text/csv", "<title>Log in</title>"),
    ("text/csv", "<html"),
]
