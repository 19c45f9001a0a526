"""Fuzz targets: each passes bytes to one parser, and raises if a property is violated.

A parser returns a value or raises a `PackageXError`. Messages contain no secret and no control character.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

from multidict import CIMultiDict

from packagex_async import Artifact, PackageXError
from packagex_async._api.converters import export_from_json
from packagex_async._api.responses import (
    ApiResponse,
    http_date,
    parse_export,
    parse_page,
    raise_for_status,
    retry_after,
)
from packagex_async._storage.object_metadata import ContentRange, ObjectMetadata, ResponseHead
from packagex_async._storage.response_check import classify, is_page
from packagex_async._storage.storage_errors import DownloadUrl, refusal
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async._transport.url_policy import (
    UrlPolicy,
    UrlRefusedError,
    check_base_url,
    redirect_target,
)
from packagex_async._utils.decompression import BodyError, Decompressor
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
    return ResponseHead.of(
        status, CIMultiDict([(name, value) for name, _, value in (line.partition(":") for line in lines)])
    )


def response_heads(data: bytes) -> None:
    """Classify two response heads of one object: as complete, as a part, and as the end of it."""
    first, _, second = data.partition(b"\n\n")
    known, head = _head(first).declared, _head(second)
    for offset in (None, 0, known.length):
        found = classify(known, head, offset)
        assert found.reason.isprintable(), found.reason
        assert len(found.reason) < 400
        assert found.metadata.length is None or found.metadata.length >= 0
    ContentRange.of(_text(data))
    is_page(data)


def object_metadata(data: bytes) -> None:
    """Read the metadata of a partial file from any JSON."""
    with suppress(ValueError, RecursionError):
        stored = json.loads(data)
        if isinstance(stored, dict):
            metadata = ObjectMetadata.from_json(stored)
            assert ObjectMetadata.from_json(metadata.to_json()) in (metadata, ObjectMetadata())


def dates(data: bytes) -> None:
    """Parse HTTP dates, `Retry-After`, and the dates of an export."""
    text = _text(data)
    moment = http_date(text)
    assert moment is None or moment.tzinfo is not None
    seconds = retry_after(CIMultiDict({"Retry-After": text, "Date": text}), now=1_700_000_000.0)
    assert seconds is None or seconds >= 0
    with suppress(PackageXError):
        repr(export_from_json({"id": "exp_1", "created_at": text, "updated_at": text}, "data"))


def urls(data: bytes) -> None:
    """Check download URLs, redirects and base URLs."""
    text = _text(data)
    for rules in (UrlPolicy(), UrlPolicy(loopback=True, plain=True)):
        for address in (text, redirect_target("https://storage.example/a?sig=1", text)):
            with suppress(UrlRefusedError):
                # The query is sent exactly as it was signed.
                query = address.partition("#")[0].partition("?")[2]
                assert rules.permit(address).raw_query_string == query
    link = DownloadUrl(export_id="exp_1", artifact=Artifact.CSV, url=text)
    assert CANARY not in str(refusal(link, 403, data, now=0.0))
    with suppress(ConfigurationError):
        check_base_url(text)


def api_responses(data: bytes) -> None:
    """Parse bodies of API responses with success and error statuses."""
    for status in (200, 400, 500):
        response = ApiResponse.of("GET /v1/exports", status, CIMultiDict(), data)
        for parse in (lambda response: parse_export(response, "exp_1"), parse_page):
            try:
                raise_for_status(response, key=Secret(KEY), now=0.0)
                repr(parse(response))
            except PackageXError as error:
                assert KEY not in f"{error}{error!r}"
                assert str(error).isprintable(), str(error)


def manifests(data: bytes) -> None:
    """Parse lines of a manifest."""
    line = ManifestEntry.parse(data)
    assert line is None or ManifestEntry.parse(line.dump()) == line


def redaction(data: bytes) -> None:
    """Redact a signed URL with any text around it, in its path and in its query."""
    before, path, query, after = (_text(part) for part in (data.split(b"\0", 3) + [b""] * 4)[:4])
    text = f"{before}https://storage.example/{path}?{query}&X-Amz-Signature={CANARY}{after}"
    assert CANARY not in redact(text)
    for value in (text, json.dumps(text), {text: text}, [text]):
        safe = sanitize(value)
        assert CANARY not in safe
        assert safe.isprintable()


def decompression(data: bytes) -> None:
    """Decompress bodies with a `Content-Encoding`."""
    for encoding in ("gzip", "deflate"):
        decoder = Decompressor(encoding, 10_000_000)
        with suppress(BodyError):
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
"""Initial inputs of the fuzzer."""
