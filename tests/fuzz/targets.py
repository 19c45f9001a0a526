"""The targets of the fuzzer: each one feeds bytes to one parser, and raises an error if it finds a defect.

A parser returns a value or raises a `PackageXError`. Its message contains no secret and no control character.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

import attrs
from multidict import CIMultiDict

from packagex_async import Artifact, PackageXError
from packagex_async._api.converters import export_from_json
from packagex_async._api.responses import (
    ApiResponse,
    parse_export,
    parse_page,
    parse_retry_after,
    raise_for_status,
)
from packagex_async._storage.download_url import DownloadUrl
from packagex_async._storage.object_metadata import ObjectMetadata
from packagex_async._storage.response_check import classify, is_page
from packagex_async._storage.response_head import ContentRange, ResponseHead
from packagex_async._storage.storage_errors import status_error
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async._transport.url_policy import (
    UrlPolicy,
    UrlRefusedError,
    check_base_url,
    redirect_target,
)
from packagex_async._utils.decompression import DecompressionError, Decompressor
from packagex_async._utils.http_headers import parse_http_date
from packagex_async._utils.redaction import Secret, redact, sanitize
from packagex_async.errors import ConfigurationError

Target = Callable[[bytes], None]

CANARY = "c4n4ry-s1gn4tur3"
KEY = "c4n4ry-k3y"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _head(data: bytes) -> ResponseHead:
    first, *lines = _text(data).split("\n")
    status = int(first) if first.isascii() and first.isdigit() and len(first) == 3 else 200
    return ResponseHead.parse(
        status, CIMultiDict([(name, value) for name, _, value in (line.partition(":") for line in lines)])
    )


def response_heads(data: bytes) -> None:
    """Two heads of one object, compared as whole, as a part and as the end of it."""
    first, _, second = data.partition(b"\n\n")
    known, head = _head(first).declared, _head(second)
    for offset in (None, 0, known.length):
        found = classify(known, head, offset)
        assert found.reason.isprintable(), found.reason
        assert len(found.reason) < 400
        assert found.metadata.length is None or found.metadata.length >= 0
    ContentRange.parse(_text(data))
    is_page(data)


def object_metadata(data: bytes) -> None:
    """The metadata of a partial file, as any JSON."""
    with suppress(ValueError, RecursionError):
        stored = json.loads(data)
        if isinstance(stored, dict):
            metadata = ObjectMetadata.from_json(stored)
            again = ObjectMetadata.from_json(metadata.to_json())
            assert attrs.asdict(again) in (attrs.asdict(metadata), attrs.asdict(ObjectMetadata()))


def dates(data: bytes) -> None:
    """HTTP dates, `Retry-After`, and the dates of an export."""
    text = _text(data)
    moment = parse_http_date(text)
    assert moment is None or moment.tzinfo is not None
    seconds = parse_retry_after(CIMultiDict({"Retry-After": text, "Date": text}), now=1_700_000_000.0)
    assert seconds is None or seconds >= 0
    with suppress(PackageXError):
        repr(export_from_json({"id": "exp_1", "created_at": text, "updated_at": text}, "data"))


def urls(data: bytes) -> None:
    """URLs of artifacts, redirects and base URLs."""
    text = _text(data)
    for policy in (UrlPolicy(), UrlPolicy(allow_loopback=True, allow_http=True)):
        for address in (text, redirect_target("https://storage.example/a?sig=1", text)):
            with suppress(UrlRefusedError):
                # The query on the wire is the text that was signed.
                query = address.partition("#")[0].partition("?")[2]
                assert policy.check(address).raw_query_string == query
    url = DownloadUrl(export_id="exp_1", artifact=Artifact.CSV, url=text)
    assert CANARY not in str(status_error(url, 403, data, now=0.0))
    with suppress(ConfigurationError):
        check_base_url(text)


def api_responses(data: bytes) -> None:
    """Bodies of API responses, under a good and a bad status."""
    for status in (200, 400, 500):
        answer = ApiResponse.decode("GET /v1/exports", status, CIMultiDict(), data)
        for parse in (lambda told: parse_export(told, "exp_1"), parse_page):
            try:
                raise_for_status(answer, key=Secret(KEY), now=0.0)
                repr(parse(answer))
            except PackageXError as error:
                assert KEY not in f"{error}{error!r}"
                assert str(error).isprintable(), str(error)


def manifests(data: bytes) -> None:
    """Lines of a manifest."""
    line = ManifestEntry.parse(data)
    assert line is None or ManifestEntry.parse(line.dump()) == line


def redaction(data: bytes) -> None:
    """A signed URL with any text around it, in its path and in its query."""
    before, path, query, after = (_text(part) for part in (data.split(b"\0", 3) + [b""] * 4)[:4])
    text = f"{before}https://storage.example/{path}?{query}&X-Amz-Signature={CANARY}{after}"
    assert CANARY not in redact(text)
    for value in (text, json.dumps(text), {text: text}, [text]):
        shown = sanitize(value)
        assert CANARY not in shown
        assert shown.isprintable()


def decompression(data: bytes) -> None:
    """Bodies that say they are compressed."""
    for encoding in ("gzip", "deflate"):
        decoder = Decompressor(encoding, 10_000_000)
        with suppress(DecompressionError):
            for start in range(0, len(data), 7):
                for _ in decoder.feed(data[start : start + 7]):
                    pass
            decoder.end()


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        response_heads,
        object_metadata,
        dates,
        urls,
        api_responses,
        manifests,
        redaction,
        decompression,
    )
}

SEEDS: dict[str, list[bytes]] = {
    "response_heads": [
        b'200\nContent-Length: 8\nETag: "1"\nx-goog-hash: md5=AAAAAAAAAAAAAAAAAAAAAA==\n\n'
        b'206\nContent-Range: bytes 5-7/8\nETag: "1"\nContent-Encoding: aws-chunked',
        b"200\nContent-Type: text/html\n\n416\nContent-Range: bytes */8",
    ],
    "object_metadata": [json.dumps(ObjectMetadata(length=8, size=8).to_json()).encode()],
    "dates": [b"Wed, 01 May 2024 12:00:00 GMT", b"2024-05-01T12:00:00Z", b"1714564800", b"9" * 400],
    "urls": [b"https://storage.example/a?se=2024-05-01T12:00:00Z&sig=x", b"https://][::1/", b"https://a..b/"],
    "api_responses": [
        b'{"data": [{"id": "exp_1", "status": "completed"}], "pagination": {"has_more": false}}',
        b'{"status": 400, "message": "m", "errors": [{"a": 1}], "error_code": "c"}',
    ],
    "manifests": [
        b'{"export_id":"exp_1","artifact":"csv","path":"a.csv","size":1,"sha256":"00","verified":"length",'
        b'"when":"2024-05-01T12:00:00+00:00","updated_at":null}'
    ],
    "redaction": [b"see \0a/b.csv\0filename=UTF-8''a.csv\0 for more", b'{"url": "\0\0"}'],
    "decompression": [b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0", b"x\x9c\x03\0\0\0\0\x01"],
}
"""Inputs that a fuzzer starts from."""
