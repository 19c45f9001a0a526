"""Streams: a stream yields the bytes or rows of one object, or it ends with an error."""

from __future__ import annotations

import asyncio
import gzip
from base64 import b64encode
from collections.abc import Callable
from contextlib import aclosing

import pytest

from packagex_async import ArtifactStream, ChecksumError, DownloadError, IncompleteBodyError, StorageError
from tests.faults.conftest import SIZE
from tests.faults.responses import (
    CHUNKED,
    NO_HASH,
    NO_VALIDATORS,
    altered_response,
    correct_response,
    encode_chunks,
    full_response,
    text_response,
    truncated_response,
)
from tests.faults.scenario import TIMEOUT_SECONDS, RawDownloadScenario
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
from tests.support import FakeClock, open_exports

CSV = "".join(["id,name\n", *(f"{number},{'é' * 20}\n" for number in range(1_000, 3_000))]).encode()
"""Rows. `read` cuts or fills them to the size of the content of other cases."""


class Reader:
    """Reads the CSV of an export: its bytes, or its rows.

    Attributes:
        received: The content so far.
    """

    def __init__(self, raw: RawDownloadScenario) -> None:
        self._raw = raw
        self.received = bytearray()

    async def __call__(self) -> bytearray:
        async with self._raw.client() as px, px.exports.stream(self._raw.export_id, "csv") as body:
            async for block in body:
                self.received += block
        return self.received


class RowReader(Reader):
    """Reads rows and encodes them again."""

    async def __call__(self) -> bytearray:
        async with self._raw.client() as px, aclosing(px.exports.rows(self._raw.export_id)) as rows:
            async for row in rows:
                if not self.received:
                    self.received += ",".join(row).encode() + b"\n"
                self.received += ",".join(row.values()).encode() + b"\n"
        return self.received


@pytest.fixture(params=[Reader, RowReader])
def read(request: pytest.FixtureRequest, raw: RawDownloadScenario) -> Reader:
    """Read the export with `stream`, and with `rows`."""
    reader: Reader = request.param(raw)
    if isinstance(reader, RowReader):
        raw.replace_object(CSV[: SIZE - 1].rpartition(b"\n")[0].ljust(SIZE - 1, b".") + b"\n")
    return reader


@pytest.mark.parametrize("responder", REMAINDERS, ids=REMAINDER_IDS)
async def test_200_with_remainder(raw: RawDownloadScenario, read: Reader, responder: Responder) -> None:
    """The remainder under a 200 is not yielded; a request without a range continues the stream."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(AFTER), responder)
    assert await read() == raw.content


@pytest.mark.parametrize("responder", REMAINDERS, ids=REMAINDER_IDS)
async def test_200_with_remainder_for_every_request(
    raw: RawDownloadScenario, read: Reader, responder: Responder
) -> None:
    """The stream ends with an error and yields no wrong byte."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(AFTER))
    raw.always_respond_with(responder)
    with pytest.raises(DownloadError):
        await read()


@pytest.mark.parametrize("responder", REMAINDERS, ids=REMAINDER_IDS)
async def test_200_with_remainder_before_first_byte(
    raw: RawDownloadScenario, read: Reader, responder: Responder
) -> None:
    """The second response is checked against the first one, although no byte was yielded."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(0))
    raw.always_respond_with(responder)
    with pytest.raises(DownloadError):
        await read()


async def test_200_with_partial_content_range(raw: RawDownloadScenario, read: Reader) -> None:
    """A first response with status 200 and a `Content-Range` of a part is refused."""
    raw.set_headers(NO_HASH)
    raw.always_respond_with(
        altered_response(headers={"Content-Length": "5", "Content-Range": "bytes 5-9/10"}, body=b"56789")
    )
    with pytest.raises(StorageError, match="bytes 5-9/10"):
        await read()


@pytest.mark.parametrize(("media_type", "page"), WEB_PAGES)
async def test_web_page_instead_of_artifact(
    raw: RawDownloadScenario, read: Reader, media_type: str | None, page: str
) -> None:
    """No byte of the page is yielded."""
    raw.always_respond_with(text_response("200 OK", page, headers={"Content-Type": media_type}))
    with pytest.raises(StorageError, match="a web page or an XML error document"):
        await read()
    assert read.received == b""


async def test_hash_without_validators(raw: RawDownloadScenario, read: Reader) -> None:
    """Without validators, a complete response that declares the same hash continues the stream."""
    raw.set_headers(NO_VALIDATORS)
    raw.respond_with(truncated_response(AFTER), truncated_response(2 * AFTER))
    assert await read() == raw.content
    assert raw.storage.requested_ranges == [None, None, None]


async def test_200_for_range(raw: RawDownloadScenario, read: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that the stream has yielded are skipped, also if they arrive in many chunks."""
    monkeypatch.setattr(RawStorageServer, "chunk_size", 1_000)
    raw.respond_with(truncated_response(AFTER), full_response())
    assert await read() == raw.content
    assert raw.storage.requested_ranges == [None, f"bytes={AFTER}-"]


async def test_no_hash_and_no_validators(raw: RawDownloadScenario, read: Reader) -> None:
    """An interrupted stream cannot continue without a validator or a hash."""
    raw.set_headers(UNIDENTIFIED)
    raw.respond_with(truncated_response(AFTER))
    with pytest.raises(DownloadError, match="ended after"):
        await read()


@pytest.mark.parametrize("content", [b"id\n1\n", b"", b"id,name\n" * 10_000])
async def test_no_hash(raw: RawDownloadScenario, read: Reader, content: bytes) -> None:
    """The first bytes are yielded once they are known not to be a web page, the last ones at the end."""
    raw.replace_object(content)
    raw.set_headers(NO_HASH)
    assert await read() == content


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
    raw: RawDownloadScenario,
    read: Reader,
    responders: tuple[Callable[[Request, StoredObject], RawResponse], Responder],
) -> None:
    """Each response is decoded and hashed according to its own headers."""
    first, second = responders
    raw.respond_with(_without_body(first), second)
    assert await read() == raw.content


async def test_second_response_with_wrong_hash(raw: RawDownloadScenario, read: Reader) -> None:
    """A hash that only the second response declares is checked."""
    raw.respond_with(truncated_response(0, headers=NO_HASH))
    raw.set_headers({"x-goog-hash": f"md5={b64encode(bytes(16)).decode()}"})
    with pytest.raises(DownloadError, match="do not have the md5"):
        await read()


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


async def test_replaced_object(raw: RawDownloadScenario, read: Reader) -> None:
    """Bytes of two objects are never yielded in one stream."""

    def replaced(request: Request, _: StoredObject) -> ServerAction:
        raw.replace_object(raw.content[::-1], version=2)
        return correct_response(request, raw.storage.stored)

    raw.respond_with(truncated_response(AFTER), replaced)
    with pytest.raises(StorageError, match="does not continue the 30000 bytes"):
        await read()


@pytest.mark.one_connection
async def test_end_of_chunked_body_missing(raw: RawDownloadScenario) -> None:
    """The bytes that the `Content-Range` declares are complete, and no further request is sent."""
    raw.options["stall_timeout"] = 0.1
    raw.respond_with(_chunked(terminated=False))
    async with raw.client() as px, px.exports.stream(raw.export_id, "csv") as body:
        assert body.size == len(raw.content)
        assert await _join(body) == raw.content
    assert raw.storage.requested_ranges == [None]


async def test_more_bytes_than_announced(raw: RawDownloadScenario) -> None:
    """Neither bytes after the announced size nor the last announced bytes are yielded."""
    raw.set_headers(NO_HASH)
    raw.respond_with(_chunked(surplus=b"surplus"))
    received = b""
    async with raw.client() as px:
        with pytest.raises(IncompleteBodyError):
            async with px.exports.stream(raw.export_id, "csv") as body:
                async for block in body:
                    received += block
    assert received == raw.content[: len(received)] != raw.content


async def test_wrong_hash_before_last_bytes(raw: RawDownloadScenario) -> None:
    """The last bytes are yielded only after the hash was verified."""
    raw.set_headers({"x-goog-hash": f"md5={b64encode(bytes(16)).decode()}"})
    received = b""
    async with raw.client() as px:
        with pytest.raises(ChecksumError):
            async with px.exports.stream(raw.export_id, "csv") as body:
                async for block in body:
                    received += block
    assert received == raw.content[: len(received)] != raw.content


async def test_other_size_before_first_byte(raw: RawDownloadScenario, read: Reader) -> None:
    """An object with another size than the announced one is refused."""

    def replaced(request: Request, _: StoredObject) -> ServerAction:
        raw.replace_object(b"id\n" * 10, version=2)
        return correct_response(request, raw.storage.stored)

    raw.respond_with(truncated_response(0), replaced)
    with pytest.raises(StorageError, match="declared 100000 bytes first and 30 bytes now"):
        await Reader(raw)()


async def test_no_size_in_second_response(raw: RawDownloadScenario) -> None:
    """A second response without a declared size is checked against the announced size."""
    raw.set_headers(NO_VALIDATORS)
    raw.respond_with(truncated_response(0), _gzip_response)
    async with raw.client() as px, px.exports.stream(raw.export_id, "csv") as body:
        assert body.size == len(raw.content)
        assert await _join(body) == raw.content


async def test_size_of_compressed_body(raw: RawDownloadScenario) -> None:
    """The length of a compressed body is not announced as the size of the artifact."""
    raw.respond_with(_gzip_response)
    async with raw.client() as px, px.exports.stream(raw.export_id, "csv") as body:
        assert body.size is None
        assert await _join(body) == raw.content


@pytest.mark.one_connection
async def test_slow_consumer(raw: RawDownloadScenario) -> None:
    """The time between two reads does not count as a stall."""
    clock = FakeClock()
    async with asyncio.timeout(TIMEOUT_SECONDS), open_exports(clock, raw.server, timeout=5.0) as exports:
        blocks = []
        async with exports.stream(raw.export_id, "csv") as body:
            async for block in body:
                blocks.append(block)
                clock.now += 3600
    assert b"".join(blocks) == raw.content
    assert raw.storage.requested_ranges == [None]


async def _join(body: ArtifactStream) -> bytes:
    return b"".join([block async for block in body])


def _chunked(*, terminated: bool = True, surplus: bytes = b"") -> Responder:
    """Respond with chunks. Only the `Content-Range` declares the size."""

    def respond(_: Request, stored: StoredObject) -> ServerAction:
        size = len(stored.content)
        body = encode_chunks(stored.content + surplus)
        headers = {**stored.headers, "Content-Range": f"bytes 0-{size - 1}/{size}"}
        return RawResponse(
            status="200 OK",
            headers=headers,
            body=body if terminated else body.removesuffix(b"0\r\n\r\n"),
            ending=ConnectionEnd.FIN if terminated else ConnectionEnd.STALL,
        ).with_headers(CHUNKED)

    return respond
