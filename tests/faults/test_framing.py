"""Framing: a body is complete when its declared end is reached, and not because the connection ended."""

from __future__ import annotations

import gzip
import re
import zlib

import pytest

from packagex_async import IncompleteBodyError, StorageError, StorageUnreachableError
from tests.faults.responses import (
    CHUNKED,
    NO_HASH,
    altered_response,
    encode_chunks,
    text_response,
    truncated_response,
)
from tests.faults.scenario import RawDownloadScenario
from tests.faults.storage_server import ConnectionEnd, RawResponse, StoredObject

AFTER = 30_000


@pytest.mark.hashes
async def test_chunked_body(raw: RawDownloadScenario) -> None:
    """A body without a length ends with its last chunk, and its hash is checked."""
    raw.respond_with(altered_response(headers=CHUNKED, body=encode_chunks(raw.content)))
    file = await raw.download()
    assert (file.attempts, file.verified) == (1, "checksum")


@pytest.mark.one_connection
async def test_chunked_body_interrupted(raw: RawDownloadScenario) -> None:
    """An interrupted body without a declared length is not resumed: the next attempt starts from zero."""
    raw.respond_with(altered_response(headers=CHUNKED, body=encode_chunks(raw.content), truncate_at=AFTER))
    assert (await raw.download()).attempts == 2
    assert raw.storage.requested_ranges == [None, None]


async def test_chunked_body_without_last_chunk(raw: RawDownloadScenario) -> None:
    """All bytes without the last chunk are not a complete body: it is downloaded again."""
    raw.respond_with(
        altered_response(headers={**CHUNKED, **NO_HASH}, body=encode_chunks(raw.content), truncate_at=-5)
    )
    assert (await raw.download()).attempts == 2


async def test_chunked_body_with_invalid_size(raw: RawDownloadScenario) -> None:
    """An invalid chunk size ends the attempt."""
    raw.respond_with(
        altered_response(
            headers=CHUNKED, body=b"zz\r\n" + encode_chunks(raw.content), ending=ConnectionEnd.FIN
        )
    )
    assert (await raw.download()).attempts == 2


@pytest.mark.one_connection
async def test_content_length_too_long(raw: RawDownloadScenario) -> None:
    """A host that always declares too much causes an error with the number of bytes received."""
    raw.always_respond_with(lambda _, stored: _closing_response(stored, {"Content-Length": "100005"}))
    error = await raw.download_error(IncompleteBodyError)
    # aiohttp may discard the bytes that it has buffered when the connection ends.
    assert re.search(r"after \d+ of 100005 bytes", str(error))


@pytest.mark.one_connection
@pytest.mark.hashes
async def test_content_length_too_short(raw: RawDownloadScenario) -> None:
    """The hash reveals that the declared length truncated the body."""
    raw.respond_with(lambda _, stored: _closing_response(stored, {"Content-Length": "99995"}))
    assert (await raw.download()).attempts == 2


@pytest.mark.parametrize("length", ["-1", "+100000", "1e5", "0x10", "100000, 100001", "ten"])
async def test_invalid_content_length(raw: RawDownloadScenario, length: str) -> None:
    """An invalid length is not a length, and the object is requested again."""
    raw.respond_with(lambda _, stored: _closing_response(stored, {"Content-Length": length}))
    await raw.download()


async def test_two_different_content_lengths(raw: RawDownloadScenario) -> None:
    """The file is complete, whichever length applies."""
    raw.respond_with(altered_response(headers={"content-length": "5"}, ending=ConnectionEnd.FIN))
    await raw.download()


async def test_chunked_body_with_content_length(raw: RawDownloadScenario) -> None:
    """A body with both kinds of framing is received correctly."""
    raw.respond_with(
        altered_response(
            headers={"Transfer-Encoding": "chunked"},
            body=encode_chunks(raw.content),
            ending=ConnectionEnd.FIN,
        )
    )
    await raw.download()


@pytest.mark.hashes
async def test_http_1_0_without_length(raw: RawDownloadScenario) -> None:
    """The end of the connection ends the body, and the hash confirms that it is complete."""
    raw.respond_with(
        altered_response(version="HTTP/1.0", headers={"Content-Length": None}, ending=ConnectionEnd.FIN)
    )
    file = await raw.download()
    assert (file.attempts, file.verified) == (1, "checksum")


@pytest.mark.hashes
async def test_http_1_0_without_length_interrupted(raw: RawDownloadScenario) -> None:
    """The hash shows that the body is incomplete, and the object is downloaded again."""
    raw.respond_with(
        altered_response(version="HTTP/1.0", headers={"Content-Length": None}, truncate_at=AFTER)
    )
    assert (await raw.download()).attempts == 2


async def test_http_1_0_without_length_or_hash(raw: RawDownloadScenario) -> None:
    """The report states that nothing was verified."""
    raw.respond_with(
        altered_response(
            version="HTTP/1.0", headers={"Content-Length": None, **NO_HASH}, ending=ConnectionEnd.FIN
        )
    )
    assert (await raw.download()).verified == "none"


@pytest.mark.parametrize("line", ["HTTP/1.1 abc OK", "HTTP/9", "200 OK HTTP/1.1", "\0\0\0\0"])
async def test_invalid_status_line(raw: RawDownloadScenario, line: str) -> None:
    """An invalid response ends the attempt."""
    raw.respond_with(lambda _, stored: f"{line}\r\nContent-Length: 5\r\n\r\nhello".encode())
    assert (await raw.download()).attempts == 2


async def test_other_protocol_always(raw: RawDownloadScenario) -> None:
    """A server of another protocol is reported as unreachable after all attempts."""
    raw.always_respond_with(lambda _, __: b"SSH-2.0-OpenSSH_9.9\r\n")
    await raw.download_error(StorageUnreachableError)
    assert len(raw.storage.requests) == 5


@pytest.mark.hashes
async def test_empty_object(raw: RawDownloadScenario) -> None:
    """The file exists and is empty."""
    raw.replace_object(b"")
    file = await raw.download()
    assert (file.size, file.verified) == (0, "checksum")


async def test_chunked_empty_object(raw: RawDownloadScenario) -> None:
    """The last chunk alone is a complete body."""
    raw.replace_object(b"")
    raw.respond_with(altered_response(headers={**CHUNKED, **NO_HASH}, body=encode_chunks(b"")))
    assert (await raw.download()).size == 0


async def test_object_of_one_byte(raw: RawDownloadScenario) -> None:
    """An object of one byte arrives."""
    raw.replace_object(b"1")
    assert (await raw.download()).size == 1


async def test_head_without_body(raw: RawDownloadScenario) -> None:
    """A connection that ends after the head does not create an empty file."""
    raw.respond_with(truncated_response(0))
    assert (await raw.download()).attempts == 2


async def test_incomplete_head(raw: RawDownloadScenario) -> None:
    """A connection that ends within the head ends the attempt."""
    raw.respond_with(lambda _, __: b"HTTP/1.1 200 OK\r\nContent-Len")
    assert (await raw.download()).attempts == 2


async def test_connection_closed_without_response(raw: RawDownloadScenario) -> None:
    """A connection that is closed without a response ends the attempt."""
    raw.respond_with(lambda _, __: b"")
    assert (await raw.download()).attempts == 2


@pytest.mark.parametrize("status", ["201 Created", "203 Non-Authoritative Information", "207 Multi-Status"])
async def test_other_success_status(raw: RawDownloadScenario, status: str) -> None:
    """Only a 200 contains the object; the error contains the status."""
    raw.always_respond_with(altered_response(status=status))
    assert (await raw.download_error(StorageError)).status == int(status[:3])


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_status_without_body(raw: RawDownloadScenario, status: str) -> None:
    """A status without a body does not create an empty file."""
    raw.always_respond_with(text_response(status, headers={"Content-Length": None}))
    assert (await raw.download_error(StorageError)).status == int(status[:3])


async def test_huge_head_once(raw: RawDownloadScenario) -> None:
    """A head of megabytes is not buffered: the attempt fails, and the next one succeeds."""
    raw.respond_with(altered_response(headers={"X-Large": "x" * 2_000_000}, ending=ConnectionEnd.FIN))
    assert (await raw.download()).attempts == 2


async def test_huge_head_always(raw: RawDownloadScenario) -> None:
    """The error message stays short."""
    raw.always_respond_with(altered_response(headers={"X-Large": "x" * 2_000_000}, ending=ConnectionEnd.FIN))
    assert len(str(await raw.download_error(StorageUnreachableError))) < 1000


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
async def test_compressed_transfer_coding(raw: RawDownloadScenario, coding: str) -> None:
    """A transfer coding in addition to `chunked` is decoded."""
    body = zlib.compress(raw.content) if coding == "deflate" else gzip.compress(raw.content)
    headers = {**NO_HASH, **CHUNKED, "Transfer-Encoding": f"{coding}, chunked"}
    raw.always_respond_with(altered_response(headers=headers, body=encode_chunks(body)))
    await raw.download()


async def test_unsupported_transfer_coding(raw: RawDownloadScenario) -> None:
    """A transfer coding that cannot be decoded causes an error that contains its name."""
    headers = {**NO_HASH, **CHUNKED, "Transfer-Encoding": "compress, chunked"}
    raw.always_respond_with(altered_response(headers=headers, body=encode_chunks(raw.content)))
    assert "compress" in str(await raw.download_error(StorageError))


async def test_informational_response(raw: RawDownloadScenario) -> None:
    """Responses with status 103 before the final response are skipped."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"
    raw.respond_with(lambda _, stored: hints + _closing_response(stored, {}).encode())
    assert (await raw.download()).attempts == 1


async def test_bytes_after_body(raw: RawDownloadScenario) -> None:
    """Bytes after the body are neither appended nor used as the next response."""
    surplus = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother"
    raw.respond_with(altered_response(body=raw.content + surplus))
    await raw.download()
    await raw.download(overwrite=True)
    assert raw.path().read_bytes() == raw.content


def _closing_response(stored: StoredObject, headers: dict[str, str | None]) -> RawResponse:
    """Respond with the object under changed headers, and close the connection."""
    return RawResponse(
        status="200 OK",
        headers={"Content-Length": str(len(stored.content)), **stored.headers},
        body=stored.content,
        ending=ConnectionEnd.FIN,
    ).with_headers(headers)


@pytest.mark.one_connection
async def test_end_of_chunked_body_missing(raw: RawDownloadScenario) -> None:
    """The bytes that the `Content-Range` declares are complete, and no further request is sent."""
    raw.options["stall_timeout"] = 0.1
    size = len(raw.content)
    body = encode_chunks(raw.content).removesuffix(b"0\r\n\r\n")
    headers = {**CHUNKED, "Content-Range": f"bytes 0-{size - 1}/{size}"}
    raw.respond_with(altered_response(headers=headers, body=body, ending=ConnectionEnd.STALL))
    assert (await raw.download()).attempts == 1
