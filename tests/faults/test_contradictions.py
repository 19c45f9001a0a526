"""Contradictions: a response that contradicts earlier ones never becomes the artifact, nor a part of it."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from base64 import b64encode
from collections.abc import Callable

import pytest

from packagex_async import DownloadError, RetryPolicy, StorageError
from tests.faults.responses import (
    CHUNKED,
    NO_HASH,
    NO_HEADERS,
    NO_VALIDATORS,
    Headers,
    altered_response,
    correct_response,
    encode_chunks,
    full_response,
    partial_response,
    text_response,
    truncated_response,
)
from tests.faults.scenario import RawDownloadScenario
from tests.faults.storage_server import (
    ConnectionEnd,
    RawResponse,
    Request,
    Responder,
    ServerAction,
    StoredObject,
)

AFTER = 30_000
REST = 70_000
UNNAMED: Headers = {**NO_HASH, **NO_VALIDATORS}
ONCE = RetryPolicy(attempts=1)
EXPIRED = text_response("403 Forbidden", "<Error><Code>ExpiredToken</Code></Error>")


def rest(headers: Headers = NO_HEADERS, *, status: str = "200 OK", start: int = AFTER) -> Responder:
    """Answer any request with the bytes from `start` on, as if they were the whole object."""

    def play(_: Request, stored: StoredObject) -> ServerAction:
        body = stored.content[start:]
        named = {**stored.headers, "Content-Length": str(len(body))}
        return RawResponse(status=status, headers=named, body=body).with_headers(headers)

    return play


def rest_in_chunks(_: Request, stored: StoredObject) -> ServerAction:
    """Answer with the bytes from `AFTER` on, without a length."""
    return RawResponse(
        status="200 OK", headers=stored.headers, body=encode_chunks(stored.content[AFTER:])
    ).with_headers(CHUNKED)


RESTS: list[Responder] = [
    rest(),
    rest({"Content-Range": "bytes 30000-99999/100000"}),
    rest({"Content-Range": "bytes 0-69999/70000"}),
    rest({"Content-Range": "bytes */70000"}),
    rest({"Content-Range": "nonsense"}),
    rest(UNNAMED),
    rest({"ETag": 'W/"1"', "x-goog-generation": None}),
    rest({"ETag": None, "x-goog-generation": None}),
    rest_in_chunks,
]
IDS = ["bare", "range", "whole-range", "no-range", "odd-range", "unnamed", "weak", "date", "chunked"]


@pytest.mark.one_connection
@pytest.mark.parametrize("play", RESTS, ids=IDS)
async def test_200_with_the_rest_to_a_range(raw: RawDownloadScenario, play: Responder) -> None:
    """The rest of an object under a 200 is not the object; one request without a range fetches the whole."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(AFTER), play)
    assert (await raw.download()).size == len(raw.content)
    assert raw.storage.requested_ranges == [None, f"bytes={AFTER}-", None]


@pytest.mark.parametrize("play", RESTS[:-1], ids=IDS[:-1])
async def test_200_with_the_rest_to_every_request(raw: RawDownloadScenario, play: Responder) -> None:
    """A host that always answers with the rest fails, with both lengths in the message."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(AFTER))
    raw.always_respond_with(play)
    message = str(await raw.download_error(StorageError))
    assert "100000" in message
    assert "70000" in message


@pytest.mark.one_connection
@pytest.mark.parametrize("play", RESTS, ids=IDS)
async def test_200_with_the_rest_in_the_next_run(raw: RawDownloadScenario, play: Responder) -> None:
    """The metadata of a partial file constrains the responses to the next run."""
    raw.set_headers(NO_HASH)
    raw.options["retry"] = ONCE
    raw.respond_with(truncated_response(AFTER))
    await raw.run(resume=True)
    raw.always_respond_with(play)
    report = await raw.run(resume=True)
    assert report.failures
    raw.always_respond_with(correct_response)
    assert (await raw.download(resume=True)).size == len(raw.content)


async def test_200_with_the_rest_to_later_ranges(raw: RawDownloadScenario) -> None:
    """Several connections are no exception: the first range is answered right, the others are not."""
    raw.set_headers(NO_HASH)
    answered: list[Request] = []

    def play(request: Request, stored: StoredObject) -> ServerAction:
        if request.range_start is None:
            return (truncated_response(AFTER) if not answered else altered_response())(request, stored)
        answered.append(request)
        return (truncated_response(5_000) if len(answered) == 1 else rest())(request, stored)

    raw.always_respond_with(play)
    assert (await raw.download()).size == len(raw.content)


@pytest.mark.one_connection
async def test_200_with_another_length_behind_a_renewed_link(raw: RawDownloadScenario) -> None:
    """A renewed link to the same strong ETag leads to the same object, or to an error."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(AFTER), EXPIRED)
    raw.always_respond_with(rest())
    message = str(await raw.download_error(StorageError))
    assert "declared 100000 bytes first and 70000 bytes now" in message


@pytest.mark.one_connection
async def test_200_in_chunks_that_ends_before_the_known_length(raw: RawDownloadScenario) -> None:
    """A body without a length is held against the length that an earlier response has declared."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(0))
    raw.always_respond_with(rest_in_chunks)
    raw.options["retry"] = RetryPolicy(attempts=3, wait_initial=0)
    report = await raw.run()
    assert "after 70000 of 100000 bytes" in str(report.failures["csv"])


@pytest.mark.one_connection
async def test_200_with_another_hash_under_the_same_etag(raw: RawDownloadScenario) -> None:
    """A strong ETag has one content, so that two hashes for it are a contradiction."""
    raw.respond_with(
        truncated_response(AFTER), full_response({"x-goog-hash": f"md5={b64encode(bytes(16)).decode()}"})
    )
    assert (await raw.download()).verified == "checksum"
    assert raw.storage.requested_ranges == [None, f"bytes={AFTER}-", None]


@pytest.mark.one_connection
async def test_a_wrong_length_that_a_hash_disproves(raw: RawDownloadScenario) -> None:
    """A length that was declared wrong once does not condemn an object that its hash proves."""
    raw.respond_with(altered_response(headers={"Content-Length": "100005"}, ending=ConnectionEnd.FIN))
    assert (await raw.download()).verified == "checksum"


async def test_a_short_body_whose_hash_is_wrong(raw: RawDownloadScenario) -> None:
    """The message about the hash states the length that was declared before, too."""
    raw.respond_with(truncated_response(AFTER))
    raw.always_respond_with(rest())
    report = await raw.run()
    assert "the 70000 bytes" in str(report.failures["csv"])
    assert "100000 bytes before" in str(report.failures["csv"])


@pytest.mark.parametrize(
    "span", ["bytes 5-9/10", "bytes 0-4/10", "bytes 5-9/*", "bytes */10", "items 0-4/5", ""]
)
@pytest.mark.parametrize("headers", [NO_HEADERS, CHUNKED])
async def test_200_with_a_partial_range_as_first_response(
    raw: RawDownloadScenario, span: str, headers: Headers
) -> None:
    """A range that is not the whole object is refused under a 200 as well."""
    body = b"56789"
    raw.set_headers(NO_HASH)
    told: Headers = {"Content-Length": "5", **headers, "Content-Range": span}
    raw.always_respond_with(altered_response(headers=told, body=encode_chunks(body) if headers else body))
    assert "Content" not in str(await raw.download_error(StorageError))


@pytest.mark.parametrize("span", ["bytes 0-99999/100000", "Bytes 0-99999/100000", "bytes=0-99999/100000"])
async def test_200_with_the_range_of_the_whole(raw: RawDownloadScenario, span: str) -> None:
    """Emulators of object stores add it to a complete response."""
    raw.set_headers({"Content-Range": span})
    await raw.download()


@pytest.mark.parametrize("span", ["bytes 0--1/0", "bytes */0"])
async def test_200_with_the_range_of_an_empty_object(raw: RawDownloadScenario, span: str) -> None:
    """An empty object has an odd range."""
    raw.replace_object(b"")
    raw.set_headers({"Content-Range": span})
    assert (await raw.download()).size == 0


REPLACED: list[Headers] = [
    {"ETag": '"new"'},
    {"x-goog-generation": "2"},
    {"ETag": None, "x-goog-generation": None, "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"},
]


@pytest.mark.one_connection
@pytest.mark.parametrize("headers", REPLACED)
async def test_416_with_the_validators_of_another_object(raw: RawDownloadScenario, headers: Headers) -> None:
    """A complete partial file of an object that was replaced by one of equal length is not published."""
    new = raw.content[::-1]

    def replaced(_: Request, __: StoredObject) -> ServerAction:
        raw.replace_object(new, version=2)
        told = {name: text for name, text in raw.storage.stored.headers.items() if name != "x-goog-hash"}
        raw.storage.stored = StoredObject(content=new, headers=told)
        gone = {**told, "Content-Range": f"bytes */{len(new)}", "Content-Length": "0"}
        return RawResponse(status="416 Range Not Satisfiable", headers=gone, body=b"").with_headers(headers)

    await _left_complete(raw)
    raw.respond_with(replaced)
    assert (await raw.download(resume=True)).path.read_bytes() == new


@pytest.mark.one_connection
async def test_416_without_validators(raw: RawDownloadScenario) -> None:
    """The last byte tells whether the object is still the same."""
    await _left_complete(raw)
    raw.respond_with(
        text_response("416 Range Not Satisfiable", headers={"Content-Range": f"bytes */{len(raw.content)}"})
    )
    file = await raw.download(resume=True)
    assert file.resumed
    assert raw.storage.requested_ranges[-2:] == [
        f"bytes={len(raw.content)}-",
        f"bytes={len(raw.content) - 1}-",
    ]


@pytest.mark.one_connection
async def test_416_without_validators_for_a_replaced_object(raw: RawDownloadScenario) -> None:
    """The response to the request for the last byte gives the new object away."""
    await _left_complete(raw)
    raw.replace_object(raw.content[::-1], version=2)
    raw.respond_with(text_response("416 Range Not Satisfiable"))
    assert (await raw.download(resume=True)).path.read_bytes() == raw.content


async def _left_complete(raw: RawDownloadScenario) -> None:
    """Leave a partial file that lacks no byte."""
    raw.options["retry"] = ONCE
    raw.respond_with(truncated_response(99_999))
    await raw.run(resume=True)
    (partial,) = raw.folder.glob(".*.part")
    partial.write_bytes(raw.content)


LOGIN = "<!DOCTYPE html>\n<html><body>Log in</body></html>"
PAGES = [
    ("text/html; charset=utf-8", LOGIN),
    ("text/html", ""),
    ("text/csv", LOGIN),
    ("application/octet-stream", f"\ufeff  {LOGIN}"),
    (None, "<html lang='en'></html>"),
    (None, f"<html><!--{'-' * 100_000}--></html>"),
    ("application/xml", "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"),
    ("application/json", "<Error><Code>SlowDown</Code></Error>"),
]


@pytest.mark.parametrize(("media_type", "page"), PAGES)
async def test_a_web_page_in_place_of_the_artifact(
    raw: RawDownloadScenario, media_type: str | None, page: str
) -> None:
    """A login page or an error document with status 200 is refused, and an existing file stays."""
    raw.path().write_bytes(b"old")
    raw.always_respond_with(text_response("200 OK", page, headers={"Content-Type": media_type}))
    error = await raw.download_error(StorageError, overwrite=True)
    assert "a web page or an XML error document" in str(error)
    assert raw.path().read_bytes() == b"old"


@pytest.mark.one_connection
async def test_a_web_page_to_a_range(raw: RawDownloadScenario) -> None:
    """A page in between costs a request, not the artifact."""
    raw.set_headers(NO_HASH)
    raw.respond_with(
        truncated_response(AFTER), text_response("200 OK", LOGIN, headers={"Content-Type": "text/html"})
    )
    await raw.download()


async def test_html_that_a_hash_proves(raw: RawDownloadScenario) -> None:
    """An artifact that is served as HTML is accepted where a declared hash matches."""
    raw.set_headers({"Content-Type": "text/html"})
    assert (await raw.download()).verified == "checksum"


@pytest.mark.parametrize("wrong", ["md5", "crc32c", "Content-MD5"])
async def test_one_of_several_hashes_is_wrong(raw: RawDownloadScenario, wrong: str) -> None:
    """Every declared hash has to match."""
    pytest.importorskip("google_crc32c")
    right = dict(pair.split("=", 1) for pair in raw.storage.stored.headers["x-goog-hash"].split(","))
    hashes = {name: text for name, text in right.items() if name in ("md5", "crc32c")}
    headers = {"x-goog-hash": ""}
    if wrong in hashes:
        size = {"md5": 16, "crc32c": 4}[wrong]
        hashes[wrong] = b64encode(bytes(size)).decode()
    else:
        headers[wrong] = b64encode(hashlib.md5(b"other").digest()).decode()
    headers["x-goog-hash"] = ",".join(f"{name}={text}" for name, text in hashes.items())
    raw.set_headers(headers)
    report = await raw.run()
    assert "do not have the" in str(report.failures["csv"])


@pytest.mark.one_connection
@pytest.mark.parametrize(
    "coding", ["utf-8", "UTF8", "none", "aws-chunked", "identity, aws-chunked", "binary", ""]
)
async def test_a_content_encoding_that_is_no_coding(raw: RawDownloadScenario, coding: str) -> None:
    """Object stores replay what an uploader put into the header; the bytes are as they are."""
    raw.set_headers({"Content-Encoding": coding})
    raw.respond_with(truncated_response(AFTER))
    file = await raw.download()
    assert (file.resumed, file.verified) == (True, "checksum")


async def test_a_coding_behind_one_that_is_none(raw: RawDownloadScenario) -> None:
    """The real coding is decoded."""
    body = gzip.compress(raw.content)
    told: Headers = {**NO_HASH, "Content-Encoding": "aws-chunked,gzip", "Content-Length": str(len(body))}
    raw.respond_with(altered_response(headers=told, body=body))
    await raw.download()


async def _streamed(raw: RawDownloadScenario) -> bytes:
    async with raw.client() as px, px.exports.stream(raw.export_id, "csv") as body:
        return b"".join([block async for block in body])


@pytest.mark.parametrize("play", RESTS, ids=IDS)
async def test_a_stream_and_200_with_the_rest(raw: RawDownloadScenario, play: Responder) -> None:
    """The rest under a 200 is not handed out; a request without a range carries the stream on."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(AFTER), play)
    assert await _streamed(raw) == raw.content


@pytest.mark.parametrize("play", RESTS, ids=IDS)
async def test_a_stream_and_200_with_the_rest_to_every_request(
    raw: RawDownloadScenario, play: Responder
) -> None:
    """It ends with an error, and never with a wrong byte."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(AFTER))
    raw.always_respond_with(play)
    with pytest.raises(DownloadError):
        await _streamed(raw)


@pytest.mark.parametrize("play", RESTS, ids=IDS)
async def test_a_stream_and_200_with_the_rest_before_any_byte(
    raw: RawDownloadScenario, play: Responder
) -> None:
    """What the first response declares holds for the second one, though no byte was handed out."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(0))
    raw.always_respond_with(play)
    with pytest.raises(DownloadError):
        await _streamed(raw)


async def test_a_stream_and_a_partial_range_as_first_response(raw: RawDownloadScenario) -> None:
    """The range of five bytes is not the artifact."""
    raw.set_headers(NO_HASH)
    raw.always_respond_with(
        altered_response(headers={"Content-Length": "5", "Content-Range": "bytes 5-9/10"}, body=b"56789")
    )
    with pytest.raises(StorageError, match="bytes 5-9/10"):
        await _streamed(raw)


@pytest.mark.parametrize(("media_type", "page"), PAGES)
async def test_a_stream_and_a_web_page(raw: RawDownloadScenario, media_type: str | None, page: str) -> None:
    """No byte of the page is handed out."""
    raw.always_respond_with(text_response("200 OK", page, headers={"Content-Type": media_type}))
    handed_out: list[bytes] = []
    async with raw.client() as px:
        with pytest.raises(StorageError, match="a web page or an XML error document"):
            async with px.exports.stream(raw.export_id, "csv") as body:
                async for block in body:
                    handed_out.append(block)
    assert handed_out == []


async def test_a_stream_that_only_a_hash_identifies(raw: RawDownloadScenario) -> None:
    """Without validators, a complete response that declares the same hash carries the stream on."""
    raw.set_headers(NO_VALIDATORS)
    raw.respond_with(truncated_response(AFTER), truncated_response(2 * AFTER))
    assert await _streamed(raw) == raw.content
    assert raw.storage.requested_ranges == [None, None, None]


async def test_a_stream_that_nothing_identifies(raw: RawDownloadScenario) -> None:
    """Bytes that were handed out cannot be continued without a validator or a hash."""
    raw.set_headers(UNNAMED)
    raw.respond_with(truncated_response(AFTER))
    with pytest.raises(DownloadError, match="ended after"):
        await _streamed(raw)


@pytest.mark.parametrize("content", [b"id\n1\n", b"", b"id,name\n" * 10_000])
async def test_a_stream_without_a_hash(raw: RawDownloadScenario, content: bytes) -> None:
    """The first bytes are handed out as soon as they are known not to be a page, the last ones at the end."""
    raw.replace_object(content)
    raw.set_headers(NO_HASH)
    assert await _streamed(raw) == content


def _zipped(request: Request, stored: StoredObject) -> RawResponse:
    body = gzip.compress(stored.content)
    told = {**stored.headers, "Content-Encoding": "gzip", "Content-Length": str(len(body))}
    return RawResponse(status="200 OK", headers=told, body=body).with_headers(NO_HASH)


def _cut_before_any_byte(play: Callable[[Request, StoredObject], RawResponse]) -> Responder:
    def cut_play(request: Request, stored: StoredObject) -> ServerAction:
        answer = play(request, stored)
        return RawResponse(status=answer.status, headers=answer.headers, body=b"", ending=ConnectionEnd.FIN)

    return cut_play


@pytest.mark.parametrize(
    "plays", [(correct_response, _zipped), (_zipped, correct_response), (_zipped, _zipped)]
)
async def test_a_stream_whose_second_response_is_encoded_otherwise(
    raw: RawDownloadScenario, responders: tuple[Callable[[Request, StoredObject], RawResponse], Responder]
) -> None:
    """Decoder and digests belong to the response that the bytes come from."""
    first, second = respond_with
    raw.respond_with(_cut_before_any_byte(first), second)
    assert await _streamed(raw) == raw.content


async def test_a_stream_whose_second_response_declares_a_hash(raw: RawDownloadScenario) -> None:
    """A hash that the first response has not declared is checked, too."""
    raw.respond_with(truncated_response(0, headers=NO_HASH))
    raw.set_headers({"x-goog-hash": f"md5={b64encode(bytes(16)).decode()}"})
    with pytest.raises(DownloadError, match="do not have the md5"):
        await _streamed(raw)


async def test_a_stream_whose_connection_breaks_behind_the_last_byte(raw: RawDownloadScenario) -> None:
    """A body that is complete is complete: nothing more is requested."""
    raw.respond_with(altered_response(ending=ConnectionEnd.RST))
    async with raw.client() as px, px.exports.stream(raw.export_id, "csv") as body:
        blocks = []
        async for block in body:
            blocks.append(block)
            for _ in range(5):
                await asyncio.sleep(0)
    assert b"".join(blocks) == raw.content
    assert raw.storage.requested_ranges == [None]


async def test_a_stream_and_a_replaced_object(raw: RawDownloadScenario) -> None:
    """Bytes of two objects never meet in one stream."""

    def replaced(request: Request, _: StoredObject) -> ServerAction:
        raw.replace_object(raw.content[::-1], version=2)
        return correct_response(request, raw.storage.stored)

    raw.respond_with(truncated_response(AFTER), replaced)
    with pytest.raises(StorageError, match="does not follow the 30000 bytes"):
        await _streamed(raw)


@pytest.mark.one_connection
async def test_206_as_html(raw: RawDownloadScenario) -> None:
    """A part of another media type is not appended."""
    raw.set_headers(NO_HASH)
    raw.respond_with(
        truncated_response(AFTER), partial_response(AFTER, headers={"Content-Type": "text/html"})
    )
    await raw.download()
    assert raw.storage.requested_ranges == [None, f"bytes={AFTER}-", None]
