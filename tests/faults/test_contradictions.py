"""Contradictions: a response that contradicts earlier ones never becomes the artifact, nor a part of it."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from base64 import b64encode
from collections.abc import Callable

import pytest

from packagex_async import DownloadError, IncompleteBodyError, RetryPolicy, StorageError
from tests.faults.conftest import blob
from tests.faults.host import Answer, Ending, Play, Request, Sent, Stored
from tests.faults.plays import (
    CHUNKED,
    NO_HASH,
    NO_NAME,
    NONE,
    Headers,
    but,
    chunks,
    cut,
    honest,
    part,
    says,
    whole,
)
from tests.faults.trial import Raw

AFTER = 30_000
REST = 70_000
UNNAMED: Headers = {**NO_HASH, **NO_NAME}
ONCE = RetryPolicy(attempts=1)
EXPIRED = says("403 Forbidden", "<Error><Code>ExpiredToken</Code></Error>")


def rest(headers: Headers = NONE, *, status: str = "200 OK", start: int = AFTER) -> Play:
    """Answer any request with the bytes from `start` on, as if they were the whole object."""

    def play(_: Request, stored: Stored) -> Sent:
        body = stored.content[start:]
        named = {**stored.headers, "Content-Length": str(len(body))}
        return Answer(status=status, headers=named, body=body).having(headers)

    return play


def rest_in_chunks(_: Request, stored: Stored) -> Sent:
    """Answer with the bytes from `AFTER` on, without a length."""
    return Answer(status="200 OK", headers=stored.headers, body=chunks(stored.content[AFTER:])).having(
        CHUNKED
    )


RESTS: list[Play] = [
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
async def test_200_with_the_rest_to_a_range(raw: Raw, play: Play) -> None:
    """The rest of an object under a 200 is not the object; one request without a range fetches the whole."""
    raw.tells(NO_HASH)
    raw.plays(cut(AFTER), play)
    assert (await raw.arrives()).size == len(raw.content)
    assert raw.host.ranges == [None, f"bytes={AFTER}-", None]


@pytest.mark.parametrize("play", RESTS[:-1], ids=IDS[:-1])
async def test_200_with_the_rest_to_every_request(raw: Raw, play: Play) -> None:
    """A host that always answers with the rest fails, with both lengths in the message."""
    raw.tells(NO_HASH)
    raw.plays(cut(AFTER))
    raw.always(play)
    message = str(await raw.fails(StorageError))
    assert "100000" in message
    assert "70000" in message


@pytest.mark.one_connection
@pytest.mark.parametrize("play", RESTS, ids=IDS)
async def test_200_with_the_rest_in_the_next_run(raw: Raw, play: Play) -> None:
    """The metadata of a partial file constrains the responses to the next run."""
    raw.tells(NO_HASH)
    raw.options["retry"] = ONCE
    raw.plays(cut(AFTER))
    await raw.report(resume=True)
    raw.always(play)
    report = await raw.report(resume=True)
    assert report.failures
    raw.always(honest)
    assert (await raw.arrives(resume=True)).size == len(raw.content)


async def test_a_partial_file_of_another_length(raw: Raw) -> None:
    """The error names the way to start again, which works."""
    tag: Headers = {**NO_HASH, "ETag": '"1"'}
    raw.tells(tag)
    raw.options["retry"] = ONCE
    raw.plays(cut(AFTER))
    await raw.report(resume=True)
    raw.stores(raw.content[:-1])
    raw.tells(tag)
    assert "pass resume=False" in str(await raw.fails(StorageError, resume=True))
    await raw.arrives()


async def test_200_with_the_rest_to_later_ranges(raw: Raw) -> None:
    """Several connections are no exception: the first range is answered right, the others are not."""
    raw.tells(NO_HASH)
    answered: list[Request] = []

    def play(request: Request, stored: Stored) -> Sent:
        if request.first is None:
            return (cut(AFTER) if not answered else but())(request, stored)
        answered.append(request)
        return (cut(5_000) if len(answered) == 1 else rest())(request, stored)

    raw.always(play)
    assert (await raw.arrives()).size == len(raw.content)


@pytest.mark.one_connection
async def test_200_with_another_length_behind_a_renewed_link(raw: Raw) -> None:
    """A renewed link to the same strong ETag leads to the same object, or to an error."""
    raw.tells(NO_HASH)
    raw.plays(cut(AFTER), EXPIRED)
    raw.always(rest())
    message = str(await raw.fails(StorageError))
    assert "declared 100000 bytes first and 70000 bytes now" in message


@pytest.mark.one_connection
async def test_200_in_chunks_that_ends_before_the_known_length(raw: Raw) -> None:
    """A body without a length is held against the length that an earlier response has declared."""
    raw.tells(NO_HASH)
    raw.plays(cut(0))
    raw.always(rest_in_chunks)
    raw.options["retry"] = RetryPolicy(attempts=3, wait_initial=0)
    report = await raw.report()
    assert "after 70000 of 100000 bytes" in str(report.failures["csv"])


@pytest.mark.one_connection
async def test_200_with_another_hash_under_the_same_etag(raw: Raw) -> None:
    """A strong ETag has one content, so that two hashes for it are a contradiction."""
    raw.plays(cut(AFTER), whole({"x-goog-hash": f"md5={b64encode(bytes(16)).decode()}"}))
    assert (await raw.arrives()).verified == "checksum"
    assert raw.host.ranges == [None, f"bytes={AFTER}-", None]


@pytest.mark.one_connection
async def test_a_wrong_length_that_a_hash_disproves(raw: Raw) -> None:
    """A length that was declared wrong once does not condemn an object that its hash proves."""
    raw.plays(but(headers={"Content-Length": "100005"}, ending=Ending.FIN))
    assert (await raw.arrives()).verified == "checksum"


async def test_a_short_body_whose_hash_is_wrong(raw: Raw) -> None:
    """The message about the hash states the length that was declared before, too."""
    raw.plays(cut(AFTER))
    raw.always(rest())
    report = await raw.report()
    assert "the 70000 bytes" in str(report.failures["csv"])
    assert "100000 bytes before" in str(report.failures["csv"])


@pytest.mark.parametrize(
    "span", ["bytes 5-9/10", "bytes 0-4/10", "bytes 5-9/*", "bytes */10", "items 0-4/5", ""]
)
@pytest.mark.parametrize("headers", [NONE, CHUNKED])
async def test_200_with_a_partial_range_as_first_response(raw: Raw, span: str, headers: Headers) -> None:
    """A range that is not the whole object is refused under a 200 as well."""
    body = b"56789"
    raw.tells(NO_HASH)
    told: Headers = {"Content-Length": "5", **headers, "Content-Range": span}
    raw.always(but(headers=told, body=chunks(body) if headers else body))
    assert "Content" not in str(await raw.fails(StorageError))


@pytest.mark.parametrize("span", ["bytes 0-99999/100000", "Bytes 0-99999/100000", "bytes=0-99999/100000"])
async def test_200_with_the_range_of_the_whole(raw: Raw, span: str) -> None:
    """Emulators of object stores add it to a complete response."""
    raw.tells({"Content-Range": span})
    await raw.arrives()


@pytest.mark.parametrize("span", ["bytes 0--1/0", "bytes */0"])
async def test_200_with_the_range_of_an_empty_object(raw: Raw, span: str) -> None:
    """An empty object has an odd range."""
    raw.stores(b"")
    raw.tells({"Content-Range": span})
    assert (await raw.arrives()).size == 0


REPLACED: list[Headers] = [
    {"ETag": '"new"'},
    {"x-goog-generation": "2"},
    {"ETag": None, "x-goog-generation": None, "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"},
]


@pytest.mark.one_connection
@pytest.mark.parametrize("headers", REPLACED)
async def test_416_with_the_validators_of_another_object(raw: Raw, headers: Headers) -> None:
    """A complete partial file of an object that was replaced by one of equal length is not published."""
    new = raw.content[::-1]

    def replaced(_: Request, __: Stored) -> Sent:
        raw.stores(new, version=2)
        told = {name: text for name, text in raw.host.stored.headers.items() if name != "x-goog-hash"}
        raw.host.stored = Stored(content=new, headers=told)
        gone = {**told, "Content-Range": f"bytes */{len(new)}", "Content-Length": "0"}
        return Answer(status="416 Range Not Satisfiable", headers=gone, body=b"").having(headers)

    await _left_complete(raw)
    raw.plays(replaced)
    assert (await raw.arrives(resume=True)).path.read_bytes() == new


@pytest.mark.one_connection
async def test_416_without_validators(raw: Raw) -> None:
    """The last byte tells whether the object is still the same."""
    await _left_complete(raw)
    raw.plays(says("416 Range Not Satisfiable", headers={"Content-Range": f"bytes */{len(raw.content)}"}))
    file = await raw.arrives(resume=True)
    assert file.resumed
    assert raw.host.ranges[-2:] == [f"bytes={len(raw.content)}-", f"bytes={len(raw.content) - 1}-"]


@pytest.mark.one_connection
async def test_416_without_validators_for_a_replaced_object(raw: Raw) -> None:
    """The response to the request for the last byte gives the new object away."""
    await _left_complete(raw)
    raw.stores(raw.content[::-1], version=2)
    raw.plays(says("416 Range Not Satisfiable"))
    assert (await raw.arrives(resume=True)).path.read_bytes() == raw.content


async def _left_complete(raw: Raw) -> None:
    """Leave a partial file that lacks no byte."""
    raw.options["retry"] = ONCE
    raw.plays(cut(99_999))
    await raw.report(resume=True)
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
    ("text/csv", "<ErrorResponse/>"),
    ("text/csv", "\n" * 500 + LOGIN),
    ("text/csv", f"<!-- {LOGIN} -->"),
    ("text/csv", "<script>location = '/login'</script>"),
    ("text/csv", "<title>Log in</title>"),
    ("text/csv", "<html"),
]


@pytest.mark.parametrize(("media_type", "page"), PAGES)
async def test_a_web_page_in_place_of_the_artifact(raw: Raw, media_type: str | None, page: str) -> None:
    """A login page or an error document with status 200 is refused, and an existing file stays."""
    raw.path().write_bytes(b"old")
    raw.always(says("200 OK", page, headers={"Content-Type": media_type}))
    error = await raw.fails(StorageError, overwrite=True)
    assert "a web page or an XML error document" in str(error)
    assert raw.path().read_bytes() == b"old"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
async def test_a_web_page_in_utf_16(raw: Raw, encoding: str) -> None:
    """Its first characters are read nevertheless."""
    page = LOGIN.encode(encoding)
    raw.always(but(headers={**NO_HASH, "Content-Length": str(len(page))}, body=page))
    assert "a web page" in str(await raw.fails(StorageError))


@pytest.mark.one_connection
async def test_a_web_page_to_a_range(raw: Raw) -> None:
    """A page in between costs a request, not the artifact."""
    raw.tells(NO_HASH)
    raw.plays(cut(AFTER), says("200 OK", LOGIN, headers={"Content-Type": "text/html"}))
    await raw.arrives()


async def test_html_that_a_hash_proves(raw: Raw) -> None:
    """An artifact that is served as HTML is accepted where a declared hash matches."""
    raw.tells({"Content-Type": "text/html"})
    assert (await raw.arrives()).verified == "checksum"


@pytest.mark.parametrize("wrong", ["md5", "crc32c", "Content-MD5"])
async def test_one_of_several_hashes_is_wrong(raw: Raw, wrong: str) -> None:
    """Every declared hash has to match."""
    pytest.importorskip("google_crc32c")
    right = dict(pair.split("=", 1) for pair in raw.host.stored.headers["x-goog-hash"].split(","))
    hashes = {name: text for name, text in right.items() if name in ("md5", "crc32c")}
    headers = {"x-goog-hash": ""}
    if wrong in hashes:
        size = {"md5": 16, "crc32c": 4}[wrong]
        hashes[wrong] = b64encode(bytes(size)).decode()
    else:
        headers[wrong] = b64encode(hashlib.md5(b"other").digest()).decode()
    headers["x-goog-hash"] = ",".join(f"{name}={text}" for name, text in hashes.items())
    raw.tells(headers)
    report = await raw.report()
    assert "do not have the" in str(report.failures["csv"])


@pytest.mark.one_connection
@pytest.mark.parametrize(
    "coding",
    ["utf-8", "UTF8", "none", "aws-chunked", "identity, aws-chunked", "binary", "base64", "text/csv", ""],
)
async def test_a_content_encoding_that_is_no_coding(raw: Raw, coding: str) -> None:
    """Object stores replay what an uploader put into the header; the bytes are as they are."""
    raw.tells({"Content-Encoding": coding})
    raw.plays(cut(AFTER))
    file = await raw.arrives()
    assert (file.resumed, file.verified) == (True, "checksum")


async def test_a_coding_behind_one_that_is_none(raw: Raw) -> None:
    """The real coding is decoded."""
    body = gzip.compress(raw.content)
    told: Headers = {**NO_HASH, "Content-Encoding": "aws-chunked,gzip", "Content-Length": str(len(body))}
    raw.plays(but(headers=told, body=body))
    await raw.arrives()


SPAN = f"bytes 0-{len(blob(0)) - 1}/{len(blob(0))}"
LENGTHLESS: list[Headers] = [CHUNKED, {"Content-Length": None}]


def spanned(headers: Headers, content: bytes) -> Play:
    """Answer any request with `content`, without a length, as the range of the whole object."""
    body = chunks(content) if headers is CHUNKED else content
    told = {**UNNAMED, **headers, "Content-Range": SPAN}
    return but(headers=told, body=body, ending=Ending.FIN)


@pytest.mark.parametrize("size", [5_000, 99_999, 100_001])
@pytest.mark.parametrize("headers", LENGTHLESS, ids=["chunked", "until-closed"])
async def test_a_body_that_is_not_as_long_as_its_range(raw: Raw, headers: Headers, size: int) -> None:
    """Where only the range of the whole object declares a length, that length holds."""
    raw.always(spanned(headers, (raw.content + b"x")[:size]))
    assert f"{size} of 100000 bytes" in str(await raw.fails(IncompleteBodyError))
    with pytest.raises(IncompleteBodyError):
        await _streamed(raw)


@pytest.mark.parametrize("headers", LENGTHLESS, ids=["chunked", "until-closed"])
async def test_a_body_that_is_as_long_as_its_range(raw: Raw, headers: Headers) -> None:
    """Its length is verified."""
    raw.always(spanned(headers, raw.content))
    assert (await raw.arrives()).verified == "length"


async def test_ranges_that_contradict_each_other(raw: Raw) -> None:
    """Of two ranges in one head, none is believed."""
    raw.always(
        lambda _, stored: (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nContent-Range: bytes 0-4999/5000\r\n"
            b"Content-Range: bytes 0-4999/100000\r\n\r\n" + stored.content[:5000]
        )
    )
    assert "an unreadable range" in str(await raw.fails(StorageError))


@pytest.mark.parametrize("first", ["identity", "aws-chunked"])
async def test_a_coding_in_a_second_header(raw: Raw, first: str) -> None:
    """Two headers are read as one list."""
    body = gzip.compress(raw.content)
    codings = f"Content-Encoding: {first}\r\nContent-Encoding: gzip\r\n"
    head = f"HTTP/1.1 200 OK\r\n{codings}Content-Length: {len(body)}\r\n\r\n"
    raw.always(lambda _, __: head.encode() + body)
    await raw.arrives()


async def _streamed(raw: Raw) -> bytes:
    async with raw.client() as px, px.exports.stream(raw.export_id, "csv") as body:
        return b"".join([block async for block in body])


@pytest.mark.parametrize("play", RESTS, ids=IDS)
async def test_a_stream_and_200_with_the_rest(raw: Raw, play: Play) -> None:
    """The rest under a 200 is not handed out; a request without a range carries the stream on."""
    raw.tells(NO_HASH)
    raw.plays(cut(AFTER), play)
    assert await _streamed(raw) == raw.content


@pytest.mark.parametrize("play", RESTS, ids=IDS)
async def test_a_stream_and_200_with_the_rest_to_every_request(raw: Raw, play: Play) -> None:
    """It ends with an error, and never with a wrong byte."""
    raw.tells(NO_HASH)
    raw.plays(cut(AFTER))
    raw.always(play)
    with pytest.raises(DownloadError):
        await _streamed(raw)


@pytest.mark.parametrize("play", RESTS, ids=IDS)
async def test_a_stream_and_200_with_the_rest_before_any_byte(raw: Raw, play: Play) -> None:
    """What the first response declares holds for the second one, though no byte was handed out."""
    raw.tells(NO_HASH)
    raw.plays(cut(0))
    raw.always(play)
    with pytest.raises(DownloadError):
        await _streamed(raw)


async def test_a_stream_and_a_partial_range_as_first_response(raw: Raw) -> None:
    """The range of five bytes is not the artifact."""
    raw.tells(NO_HASH)
    raw.always(but(headers={"Content-Length": "5", "Content-Range": "bytes 5-9/10"}, body=b"56789"))
    with pytest.raises(StorageError, match="bytes 5-9/10"):
        await _streamed(raw)


@pytest.mark.parametrize(("media_type", "page"), PAGES)
async def test_a_stream_and_a_web_page(raw: Raw, media_type: str | None, page: str) -> None:
    """No byte of the page is handed out."""
    raw.always(says("200 OK", page, headers={"Content-Type": media_type}))
    handed_out: list[bytes] = []
    async with raw.client() as px:
        with pytest.raises(StorageError, match="a web page or an XML error document"):
            async with px.exports.stream(raw.export_id, "csv") as body:
                async for block in body:
                    handed_out.append(block)
    assert handed_out == []


async def test_a_stream_that_only_a_hash_identifies(raw: Raw) -> None:
    """Without validators, a complete response that declares the same hash carries the stream on."""
    raw.tells(NO_NAME)
    raw.plays(cut(AFTER), cut(2 * AFTER))
    assert await _streamed(raw) == raw.content
    assert raw.host.ranges == [None, None, None]


async def test_a_stream_that_nothing_identifies(raw: Raw) -> None:
    """Bytes that were handed out cannot be continued without a validator or a hash."""
    raw.tells(UNNAMED)
    raw.plays(cut(AFTER))
    with pytest.raises(DownloadError, match="ended after"):
        await _streamed(raw)


@pytest.mark.parametrize("content", [b"id\n1\n", b"", b"id,name\n" * 10_000])
async def test_a_stream_without_a_hash(raw: Raw, content: bytes) -> None:
    """The first bytes are handed out as soon as they are known not to be a page, the last ones at the end."""
    raw.stores(content)
    raw.tells(NO_HASH)
    assert await _streamed(raw) == content


def _zipped(request: Request, stored: Stored) -> Answer:
    body = gzip.compress(stored.content)
    told = {**stored.headers, "Content-Encoding": "gzip", "Content-Length": str(len(body))}
    return Answer(status="200 OK", headers=told, body=body).having(NO_HASH)


def _cut_before_any_byte(play: Callable[[Request, Stored], Answer]) -> Play:
    def cut_play(request: Request, stored: Stored) -> Sent:
        answer = play(request, stored)
        return Answer(status=answer.status, headers=answer.headers, body=b"", ending=Ending.FIN)

    return cut_play


@pytest.mark.parametrize("plays", [(honest, _zipped), (_zipped, honest), (_zipped, _zipped)])
async def test_a_stream_whose_second_response_is_encoded_otherwise(
    raw: Raw, plays: tuple[Callable[[Request, Stored], Answer], Play]
) -> None:
    """Decoder and digests belong to the response that the bytes come from."""
    first, second = plays
    raw.plays(_cut_before_any_byte(first), second)
    assert await _streamed(raw) == raw.content


async def test_a_stream_whose_second_response_declares_a_hash(raw: Raw) -> None:
    """A hash that the first response has not declared is checked, too."""
    raw.plays(cut(0, headers=NO_HASH))
    raw.tells({"x-goog-hash": f"md5={b64encode(bytes(16)).decode()}"})
    with pytest.raises(DownloadError, match="do not have the md5"):
        await _streamed(raw)


async def test_a_stream_whose_connection_breaks_behind_the_last_byte(raw: Raw) -> None:
    """A body that is complete is complete: nothing more is requested."""
    raw.plays(but(ending=Ending.RST))
    async with raw.client() as px, px.exports.stream(raw.export_id, "csv") as body:
        blocks = []
        async for block in body:
            blocks.append(block)
            for _ in range(5):
                await asyncio.sleep(0)
    assert b"".join(blocks) == raw.content
    assert raw.host.ranges == [None]


async def test_a_stream_and_a_replaced_object(raw: Raw) -> None:
    """Bytes of two objects never meet in one stream."""

    def replaced(request: Request, _: Stored) -> Sent:
        raw.stores(raw.content[::-1], version=2)
        return honest(request, raw.host.stored)

    raw.plays(cut(AFTER), replaced)
    with pytest.raises(StorageError, match="does not follow the 30000 bytes"):
        await _streamed(raw)


@pytest.mark.one_connection
async def test_206_as_html(raw: Raw) -> None:
    """A part of another media type is not appended."""
    raw.tells(NO_HASH)
    raw.plays(cut(AFTER), part(AFTER, headers={"Content-Type": "text/html"}))
    await raw.arrives()
    assert raw.host.ranges == [None, f"bytes={AFTER}-", None]
