"""Contradictions: a response that contradicts an earlier one is never used, neither in full nor in part."""

from __future__ import annotations

import gzip
import hashlib
import re
from base64 import b64encode

import pytest

from packagex_async import IncompleteBodyError, RetryPolicy, StorageError
from tests.faults.conftest import SIZE
from tests.faults.responses import (
    CHUNKED,
    NO_HASH,
    NO_HEADERS,
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
from tests.faults.wrong_responses import (
    AFTER,
    LOGIN_PAGE,
    REMAINDER_IDS,
    REMAINDERS,
    UNIDENTIFIED,
    WEB_PAGES,
    chunked_remainder_response,
    remainder_response,
)

REST = 70_000
ONCE = RetryPolicy(attempts=1)
EXPIRED = text_response("403 Forbidden", "<Error><Code>ExpiredToken</Code></Error>")


@pytest.mark.one_connection
@pytest.mark.parametrize("responder", REMAINDERS, ids=REMAINDER_IDS)
async def test_200_with_remainder_for_range(raw: RawDownloadScenario, responder: Responder) -> None:
    """The remainder of an object under a 200 is not accepted as the object; the next request has no range."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(AFTER), responder)
    assert (await raw.download()).size == len(raw.content)
    assert raw.storage.requested_ranges == [None, f"bytes={AFTER}-", None]


@pytest.mark.one_connection
async def test_200_with_remainder_and_new_etag_for_range(raw: RawDownloadScenario) -> None:
    """The nodes of some hosts have different ETags for the same object."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(AFTER), remainder_response({"ETag": '"other"'}))
    assert (await raw.download()).size == len(raw.content)
    assert raw.storage.requested_ranges == [None, f"bytes={AFTER}-", None]


@pytest.mark.parametrize("responder", REMAINDERS[:-1], ids=REMAINDER_IDS[:-1])
async def test_200_with_remainder_for_every_request(raw: RawDownloadScenario, responder: Responder) -> None:
    """A host that always sends the remainder causes an error whose message contains both lengths."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(AFTER))
    raw.always_respond_with(responder)
    message = str(await raw.download_error(StorageError))
    assert "100000" in message
    assert "70000" in message


@pytest.mark.one_connection
@pytest.mark.parametrize("responder", REMAINDERS, ids=REMAINDER_IDS)
async def test_200_with_remainder_in_next_run(raw: RawDownloadScenario, responder: Responder) -> None:
    """Responses in the next run are checked against the metadata of the partial file."""
    raw.set_headers(NO_HASH)
    raw.options["retry"] = ONCE
    raw.respond_with(truncated_response(AFTER))
    await raw.run(resume=True)
    raw.always_respond_with(responder)
    report = await raw.run(resume=True)
    assert report.failures
    raw.always_respond_with(correct_response)
    assert (await raw.download(resume=True)).size == len(raw.content)


@pytest.mark.one_connection
async def test_partial_file_of_other_length(raw: RawDownloadScenario) -> None:
    """The error suggests `resume=False`, with which the next download succeeds."""
    headers: Headers = {**NO_HASH, "ETag": '"1"'}
    raw.set_headers(headers)
    raw.options["retry"] = ONCE
    raw.respond_with(truncated_response(AFTER))
    await raw.run(resume=True)
    raw.replace_object(raw.content[:-1])
    raw.set_headers(headers)
    assert "pass resume=False" in str(await raw.download_error(StorageError, resume=True))
    await raw.download()


async def test_200_with_remainder_for_later_ranges(raw: RawDownloadScenario) -> None:
    """The check applies to segments too: the first range is answered correctly, the others are not."""
    raw.set_headers(NO_HASH)
    answered: list[Request] = []

    def respond(request: Request, stored: StoredObject) -> ServerAction:
        if request.range_start is None:
            return (truncated_response(AFTER) if not answered else altered_response())(request, stored)
        answered.append(request)
        return (truncated_response(5_000) if len(answered) == 1 else remainder_response())(request, stored)

    raw.always_respond_with(respond)
    assert (await raw.download()).size == len(raw.content)


@pytest.mark.one_connection
async def test_200_with_other_length_after_new_url(raw: RawDownloadScenario) -> None:
    """A new URL with the same strong ETag returns the same object, or the download fails."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(AFTER), EXPIRED)
    raw.always_respond_with(remainder_response())
    message = str(await raw.download_error(StorageError))
    assert "declared 100000 bytes first and 70000 bytes now" in message


@pytest.mark.one_connection
async def test_chunked_200_shorter_than_known_length(raw: RawDownloadScenario) -> None:
    """A body without a length is compared with the length that an earlier response declared."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(0))
    raw.always_respond_with(chunked_remainder_response)
    raw.options["retry"] = RetryPolicy(attempts=3, wait_initial=0)
    report = await raw.run()
    assert "after 70000 of 100000 bytes" in str(report.failures["csv"])


@pytest.mark.one_connection
async def test_chunked_200_longer_than_known_length(raw: RawDownloadScenario) -> None:
    """The client does not wait for the end of the body, which may have none."""
    raw.set_headers(NO_HASH)
    surplus = encode_chunks(raw.content + bytes(50_000_000), size=100_000)
    raw.respond_with(truncated_response(0))
    raw.always_respond_with(altered_response(headers=CHUNKED, body=surplus))
    raw.options["retry"] = RetryPolicy(attempts=3, wait_initial=0)
    received: list[int] = []
    report = await raw.run(on_progress=lambda event: received.append(event.received))
    assert re.search(r"the body has \d+ bytes or more instead of 100000", str(report.failures["csv"]))
    assert max(received) < 5_000_000


@pytest.mark.one_connection
async def test_200_with_other_hash_and_same_etag(raw: RawDownloadScenario) -> None:
    """Two hashes under one strong ETag contradict each other."""
    raw.respond_with(
        truncated_response(AFTER), full_response({"x-goog-hash": f"md5={b64encode(bytes(16)).decode()}"})
    )
    assert (await raw.download()).verified == "checksum"
    assert raw.storage.requested_ranges == [None, f"bytes={AFTER}-", None]


@pytest.mark.one_connection
async def test_wrong_length_with_matching_hash(raw: RawDownloadScenario) -> None:
    """An object with a matching hash is accepted, although an earlier response declared another length."""
    raw.respond_with(altered_response(headers={"Content-Length": "100005"}, ending=ConnectionEnd.FIN))
    assert (await raw.download()).verified == "checksum"


async def test_short_body_with_wrong_hash(raw: RawDownloadScenario) -> None:
    """The message about the hash also contains the length that was declared before."""
    raw.respond_with(truncated_response(AFTER))
    raw.always_respond_with(remainder_response())
    report = await raw.run()
    assert "the 70000 bytes" in str(report.failures["csv"])
    assert "100000 bytes before" in str(report.failures["csv"])


@pytest.mark.parametrize(
    "span", ["bytes 5-9/10", "bytes 0-4/10", "bytes 5-9/*", "bytes */10", "items 0-4/5", ""]
)
@pytest.mark.parametrize("headers", [NO_HEADERS, CHUNKED])
async def test_200_with_partial_content_range(raw: RawDownloadScenario, span: str, headers: Headers) -> None:
    """A first response with status 200 and a `Content-Range` of a part is refused."""
    body = b"56789"
    raw.set_headers(NO_HASH)
    response_headers: Headers = {"Content-Length": "5", **headers, "Content-Range": span}
    raw.always_respond_with(
        altered_response(headers=response_headers, body=encode_chunks(body) if headers else body)
    )
    assert "Content" not in str(await raw.download_error(StorageError))


@pytest.mark.parametrize("span", ["bytes 0-99999/100000", "Bytes 0-99999/100000", "bytes=0-99999/100000"])
async def test_200_with_complete_content_range(raw: RawDownloadScenario, span: str) -> None:
    """A `Content-Range` of the complete object is accepted; emulators of object stores send it."""
    raw.set_headers({"Content-Range": span})
    await raw.download()


@pytest.mark.parametrize("span", ["bytes 0--1/0", "bytes */0"])
async def test_200_with_content_range_of_empty_object(raw: RawDownloadScenario, span: str) -> None:
    """The invalid ranges that servers send for an empty object are accepted."""
    raw.replace_object(b"")
    raw.set_headers({"Content-Range": span})
    assert (await raw.download()).size == 0


WITHOUT_LENGTH: list[Headers] = [CHUNKED, {"Content-Length": None}]


def _complete_range(headers: Headers, content: bytes) -> Responder:
    """Respond with `content`, without a length, and with the `Content-Range` of the complete object."""
    body = encode_chunks(content) if headers is CHUNKED else content
    content_range = {"Content-Range": f"bytes 0-{SIZE - 1}/{SIZE}"}
    return altered_response(
        headers={**UNIDENTIFIED, **headers, **content_range}, body=body, ending=ConnectionEnd.FIN
    )


@pytest.mark.parametrize("size", [5_000, SIZE - 1, SIZE + 1])
@pytest.mark.parametrize("headers", WITHOUT_LENGTH, ids=["chunked", "until-closed"])
async def test_body_of_other_length_than_its_range(
    raw: RawDownloadScenario, headers: Headers, size: int
) -> None:
    """Without `Content-Length`, the body must have the length that `Content-Range` declares."""
    raw.always_respond_with(_complete_range(headers, (raw.content + b"x")[:size]))
    text = f"{size} of {SIZE} bytes" if size < SIZE else f"{size} bytes or more instead of {SIZE}"
    assert text in str(await raw.download_error(IncompleteBodyError))
    async with raw.client() as px:
        with pytest.raises(IncompleteBodyError):
            async with px.exports.stream(raw.export_id, "csv") as body:
                [block async for block in body]


@pytest.mark.parametrize("headers", WITHOUT_LENGTH, ids=["chunked", "until-closed"])
async def test_body_of_same_length_as_its_range(raw: RawDownloadScenario, headers: Headers) -> None:
    """The length is verified."""
    raw.always_respond_with(_complete_range(headers, raw.content))
    assert (await raw.download()).verified == "length"


async def test_two_different_content_ranges(raw: RawDownloadScenario) -> None:
    """Two different `Content-Range` headers in one response are invalid."""
    raw.always_respond_with(
        lambda _, stored: (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nContent-Range: bytes 0-4999/5000\r\n"
            b"Content-Range: bytes 0-4999/100000\r\n\r\n" + stored.content[:5000]
        )
    )
    assert "an unreadable range" in str(await raw.download_error(StorageError))


REPLACED: list[Headers] = [
    {"ETag": '"new"'},
    {"x-goog-generation": "2"},
    {"ETag": None, "x-goog-generation": None, "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"},
]


@pytest.mark.one_connection
@pytest.mark.parametrize("headers", REPLACED)
async def test_416_with_other_validators(raw: RawDownloadScenario, headers: Headers) -> None:
    """A complete partial file of an object that was replaced by one of equal length is not published."""
    new = raw.content[::-1]

    def replaced(_: Request, __: StoredObject) -> ServerAction:
        raw.replace_object(new, version=2)
        stored_headers = {
            name: text for name, text in raw.storage.stored.headers.items() if name != "x-goog-hash"
        }
        raw.storage.stored = StoredObject(content=new, headers=stored_headers)
        response_headers = {**stored_headers, "Content-Range": f"bytes */{len(new)}", "Content-Length": "0"}
        return RawResponse(
            status="416 Range Not Satisfiable", headers=response_headers, body=b""
        ).with_headers(headers)

    await _leave_complete_partial(raw)
    raw.respond_with(replaced)
    assert (await raw.download(resume=True)).path.read_bytes() == new


@pytest.mark.one_connection
async def test_416_without_validators(raw: RawDownloadScenario) -> None:
    """A request for the last byte confirms that the object has not changed."""
    await _leave_complete_partial(raw)
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
async def test_416_without_validators_for_replaced_object(raw: RawDownloadScenario) -> None:
    """The response to the request for the last byte reveals that the object was replaced."""
    await _leave_complete_partial(raw)
    raw.replace_object(raw.content[::-1], version=2)
    raw.respond_with(text_response("416 Range Not Satisfiable"))
    assert (await raw.download(resume=True)).path.read_bytes() == raw.content


async def _leave_complete_partial(raw: RawDownloadScenario) -> None:
    """Leave a partial file that contains all bytes."""
    raw.options["retry"] = ONCE
    raw.respond_with(truncated_response(99_999))
    await raw.run(resume=True)
    (partial,) = raw.folder.glob(".*.part")
    partial.write_bytes(raw.content)


@pytest.mark.parametrize(("media_type", "page"), WEB_PAGES)
async def test_web_page_instead_of_artifact(
    raw: RawDownloadScenario, media_type: str | None, page: str
) -> None:
    """A login page or an error document with status 200 is refused, and an existing file stays."""
    raw.path().write_bytes(b"old")
    raw.always_respond_with(text_response("200 OK", page, headers={"Content-Type": media_type}))
    error = await raw.download_error(StorageError, overwrite=True)
    assert "a web page or an XML error document" in str(error)
    assert raw.path().read_bytes() == b"old"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
async def test_web_page_in_utf_16(raw: RawDownloadScenario, encoding: str) -> None:
    """A web page is recognized in UTF-16 too."""
    page = LOGIN_PAGE.encode(encoding)
    headers: Headers = {**NO_HASH, "Content-Length": str(len(page))}
    raw.always_respond_with(altered_response(headers=headers, body=page))
    assert "a web page" in str(await raw.download_error(StorageError))


@pytest.mark.one_connection
async def test_web_page_for_range(raw: RawDownloadScenario) -> None:
    """A web page between two correct responses costs one attempt, and the artifact arrives."""
    raw.set_headers(NO_HASH)
    raw.respond_with(
        truncated_response(AFTER), text_response("200 OK", LOGIN_PAGE, headers={"Content-Type": "text/html"})
    )
    await raw.download()


async def test_html_with_matching_hash(raw: RawDownloadScenario) -> None:
    """An artifact with the media type of HTML is accepted if a declared hash matches."""
    raw.set_headers({"Content-Type": "text/html"})
    assert (await raw.download()).verified == "checksum"


@pytest.mark.parametrize("wrong", ["md5", "crc32c", "Content-MD5"])
async def test_one_wrong_hash_of_several(raw: RawDownloadScenario, wrong: str) -> None:
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
    "coding",
    [
        "utf-8",
        "UTF8",
        "charset=utf-8",
        "none",
        "aws-chunked",
        "identity, aws-chunked",
        "binary",
        "base64",
        "text/csv",
        "",
    ],
)
async def test_content_encoding_without_effect(raw: RawDownloadScenario, coding: str) -> None:
    """Values of `Content-Encoding` that are no codings are ignored; object stores return them unchanged."""
    raw.set_headers({"Content-Encoding": coding})
    raw.respond_with(truncated_response(AFTER))
    file = await raw.download()
    assert (file.resumed, file.verified) == (True, "checksum")


async def test_coding_after_value_without_effect(raw: RawDownloadScenario) -> None:
    """A real coding after such a value is decoded."""
    body = gzip.compress(raw.content)
    headers: Headers = {**NO_HASH, "Content-Encoding": "aws-chunked,gzip", "Content-Length": str(len(body))}
    raw.respond_with(altered_response(headers=headers, body=body))
    await raw.download()


@pytest.mark.parametrize("first", ["identity", "aws-chunked"])
async def test_coding_in_second_header(raw: RawDownloadScenario, first: str) -> None:
    """Two `Content-Encoding` headers are read as one list."""
    body = gzip.compress(raw.content)
    codings = f"Content-Encoding: {first}\r\nContent-Encoding: gzip\r\n"
    head = f"HTTP/1.1 200 OK\r\n{codings}Content-Length: {len(body)}\r\n\r\n"
    raw.always_respond_with(lambda _, __: head.encode() + body)
    await raw.download()


@pytest.mark.one_connection
async def test_206_with_other_media_type(raw: RawDownloadScenario) -> None:
    """A partial response with another media type is not appended."""
    raw.set_headers(NO_HASH)
    raw.respond_with(
        truncated_response(AFTER), partial_response(AFTER, headers={"Content-Type": "text/html"})
    )
    await raw.download()
    assert raw.storage.requested_ranges == [None, f"bytes={AFTER}-", None]
