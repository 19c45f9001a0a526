"""Streams: a stream yields the bytes of one object, or it ends with an error."""

from __future__ import annotations

import asyncio
import gzip
from base64 import b64encode
from collections.abc import Callable

import pytest

from packagex_async import DownloadError, StorageError
from tests.faults.responses import (
    NO_HASH,
    NO_VALIDATORS,
    altered_response,
    correct_response,
    full_response,
    text_response,
    truncated_response,
)
from tests.faults.scenario import RawDownloadScenario
from tests.faults.storage_server import (
    ConnectionEnd,
    RawResponse,
    RawStorageServer,
    Request,
    Responder,
    ServerAction,
    StoredObject,
)
from tests.faults.wrong_responses import AFTER, REMAINDER_IDS, REMAINDERS, UNIDENTIFIED, WEB_PAGES


async def _read_stream(raw: RawDownloadScenario) -> bytes:
    async with raw.client() as px, px.exports.stream(raw.export_id, "csv") as body:
        return b"".join([block async for block in body])


@pytest.mark.parametrize("responder", REMAINDERS, ids=REMAINDER_IDS)
async def test_200_with_remainder(raw: RawDownloadScenario, responder: Responder) -> None:
    """The remainder under a 200 is not yielded; a request without a range continues the stream."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(AFTER), responder)
    assert await _read_stream(raw) == raw.content


@pytest.mark.parametrize("responder", REMAINDERS, ids=REMAINDER_IDS)
async def test_200_with_remainder_for_every_request(raw: RawDownloadScenario, responder: Responder) -> None:
    """The stream ends with an error and yields no wrong byte."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(AFTER))
    raw.always_respond_with(responder)
    with pytest.raises(DownloadError):
        await _read_stream(raw)


@pytest.mark.parametrize("responder", REMAINDERS, ids=REMAINDER_IDS)
async def test_200_with_remainder_before_first_byte(raw: RawDownloadScenario, responder: Responder) -> None:
    """The second response is checked against the first one, although no byte was yielded."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(0))
    raw.always_respond_with(responder)
    with pytest.raises(DownloadError):
        await _read_stream(raw)


async def test_200_with_partial_content_range(raw: RawDownloadScenario) -> None:
    """A first response with status 200 and a `Content-Range` of a part is refused."""
    raw.set_headers(NO_HASH)
    raw.always_respond_with(
        altered_response(headers={"Content-Length": "5", "Content-Range": "bytes 5-9/10"}, body=b"56789")
    )
    with pytest.raises(StorageError, match="bytes 5-9/10"):
        await _read_stream(raw)


@pytest.mark.parametrize(("media_type", "page"), WEB_PAGES)
async def test_web_page_instead_of_artifact(
    raw: RawDownloadScenario, media_type: str | None, page: str
) -> None:
    """No byte of the page is yielded."""
    raw.always_respond_with(text_response("200 OK", page, headers={"Content-Type": media_type}))
    received: list[bytes] = []
    async with raw.client() as px:
        with pytest.raises(StorageError, match="a web page or an XML error document"):
            async with px.exports.stream(raw.export_id, "csv") as body:
                async for block in body:
                    received.append(block)
    assert received == []


async def test_hash_without_validators(raw: RawDownloadScenario) -> None:
    """Without validators, a complete response that declares the same hash continues the stream."""
    raw.set_headers(NO_VALIDATORS)
    raw.respond_with(truncated_response(AFTER), truncated_response(2 * AFTER))
    assert await _read_stream(raw) == raw.content
    assert raw.storage.requested_ranges == [None, None, None]


async def test_200_for_range(raw: RawDownloadScenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that the stream has yielded are skipped, also if they arrive in many chunks."""
    monkeypatch.setattr(RawStorageServer, "chunk_size", 1_000)
    raw.respond_with(truncated_response(AFTER), full_response())
    assert await _read_stream(raw) == raw.content
    assert raw.storage.requested_ranges == [None, f"bytes={AFTER}-"]


async def test_no_hash_and_no_validators(raw: RawDownloadScenario) -> None:
    """An interrupted stream cannot continue without a validator or a hash."""
    raw.set_headers(UNIDENTIFIED)
    raw.respond_with(truncated_response(AFTER))
    with pytest.raises(DownloadError, match="ended after"):
        await _read_stream(raw)


@pytest.mark.parametrize("content", [b"id\n1\n", b"", b"id,name\n" * 10_000])
async def test_no_hash(raw: RawDownloadScenario, content: bytes) -> None:
    """The first bytes are yielded once they are known not to be a web page, the last ones at the end."""
    raw.replace_object(content)
    raw.set_headers(NO_HASH)
    assert await _read_stream(raw) == content


def _gzip_response(request: Request, stored: StoredObject) -> RawResponse:
    body = gzip.compress(stored.content)
    headers = {**stored.headers, "Content-Encoding": "gzip", "Content-Length": str(len(body))}
    return RawResponse(status="200 OK", headers=headers, body=body).with_headers(NO_HASH)


def _without_body(first: Callable[[Request, StoredObject], RawResponse]) -> Responder:
    def respond(request: Request, stored: StoredObject) -> ServerAction:
        response = first(request, stored)
        return RawResponse(
            status=response.status, headers=response.headers, body=b"", ending=ConnectionEnd.FIN
        )

    return respond


@pytest.mark.parametrize(
    "responders",
    [
        (correct_response, _gzip_response),
        (_gzip_response, correct_response),
        (_gzip_response, _gzip_response),
    ],
)
async def test_second_response_with_other_encoding(
    raw: RawDownloadScenario, responders: tuple[Callable[[Request, StoredObject], RawResponse], Responder]
) -> None:
    """Each response is decoded and hashed according to its own headers."""
    first, second = responders
    raw.respond_with(_without_body(first), second)
    assert await _read_stream(raw) == raw.content


async def test_second_response_with_wrong_hash(raw: RawDownloadScenario) -> None:
    """A hash that only the second response declares is checked."""
    raw.respond_with(truncated_response(0, headers=NO_HASH))
    raw.set_headers({"x-goog-hash": f"md5={b64encode(bytes(16)).decode()}"})
    with pytest.raises(DownloadError, match="do not have the md5"):
        await _read_stream(raw)


async def test_reset_after_last_byte(raw: RawDownloadScenario) -> None:
    """A complete body is accepted, and no further request is sent."""
    raw.respond_with(altered_response(ending=ConnectionEnd.RST))
    async with raw.client() as px, px.exports.stream(raw.export_id, "csv") as body:
        blocks = []
        async for block in body:
            blocks.append(block)
            for _ in range(5):
                await asyncio.sleep(0)
    assert b"".join(blocks) == raw.content
    assert raw.storage.requested_ranges == [None]


async def test_replaced_object(raw: RawDownloadScenario) -> None:
    """Bytes of two objects are never yielded in one stream."""

    def replaced(request: Request, _: StoredObject) -> ServerAction:
        raw.replace_object(raw.content[::-1], version=2)
        return correct_response(request, raw.storage.stored)

    raw.respond_with(truncated_response(AFTER), replaced)
    with pytest.raises(StorageError, match="does not continue the 30000 bytes"):
        await _read_stream(raw)
