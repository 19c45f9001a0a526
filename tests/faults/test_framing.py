"""Framing: a body is whole when its declared end is reached, and never because the connection ended."""

from __future__ import annotations

import re

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


async def test_chunked_and_whole(raw: RawDownloadScenario) -> None:
    """A body without a length ends with its last chunk, and is checked by its hash."""
    raw.respond_with(altered_response(headers=CHUNKED, body=encode_chunks(raw.content)))
    file = await raw.download()
    assert (file.attempts, file.verified) == (1, "checksum")


@pytest.mark.one_connection
async def test_chunked_and_cut_within_a_chunk(raw: RawDownloadScenario) -> None:
    """What came is not taken for whole; without a total there is no resuming, so it starts anew."""
    raw.respond_with(altered_response(headers=CHUNKED, body=encode_chunks(raw.content), truncate_at=AFTER))
    assert (await raw.download()).attempts == 2
    assert raw.storage.requested_ranges == [None, None]


async def test_chunked_without_its_last_chunk(raw: RawDownloadScenario) -> None:
    """All bytes are there, but nothing says so: they are fetched again."""
    raw.respond_with(
        altered_response(headers={**CHUNKED, **NO_HASH}, body=encode_chunks(raw.content), truncate_at=-5)
    )
    assert (await raw.download()).attempts == 2


async def test_chunked_with_a_size_of_no_sense(raw: RawDownloadScenario) -> None:
    """A chunk size that is no number ends the try."""
    raw.respond_with(
        altered_response(
            headers=CHUNKED, body=b"zz\r\n" + encode_chunks(raw.content), ending=ConnectionEnd.FIN
        )
    )
    assert (await raw.download()).attempts == 2


@pytest.mark.one_connection
async def test_a_content_length_that_is_too_long(raw: RawDownloadScenario) -> None:
    """A host that always promises more than it has ends in an error that says how many bytes came."""
    raw.always_respond_with(lambda _, stored: _closing(stored, {"Content-Length": "100005"}))
    error = await raw.download_error(IncompleteBodyError)
    # What aiohttp still holds when the connection ends may be lost.
    assert re.search(r"after \d+ of 100005 bytes", str(error))


@pytest.mark.one_connection
async def test_a_content_length_that_is_too_short(raw: RawDownloadScenario) -> None:
    """The hash condemns what was cut off by its own head."""
    raw.respond_with(lambda _, stored: _closing(stored, {"Content-Length": "99995"}))
    assert (await raw.download()).attempts == 2


@pytest.mark.parametrize("length", ["-1", "+100000", "1e5", "0x10", "100000, 100001", "ten"])
async def test_a_content_length_of_no_sense(raw: RawDownloadScenario, length: str) -> None:
    """What is no number of bytes is no length; the object is asked for again."""
    raw.respond_with(lambda _, stored: _closing(stored, {"Content-Length": length}))
    await raw.download()


async def test_two_content_lengths_that_differ(raw: RawDownloadScenario) -> None:
    """Whichever is believed, the file is whole."""
    raw.respond_with(altered_response(headers={"content-length": "5"}, ending=ConnectionEnd.FIN))
    await raw.download()


async def test_chunks_beside_a_content_length(raw: RawDownloadScenario) -> None:
    """A head that frames its body twice spoils nothing."""
    raw.respond_with(
        altered_response(
            headers={"Transfer-Encoding": "chunked"},
            body=encode_chunks(raw.content),
            ending=ConnectionEnd.FIN,
        )
    )
    await raw.download()


async def test_http_1_0_without_a_length(raw: RawDownloadScenario) -> None:
    """The end of the connection is the end of the body, and the hash says whether it was."""
    raw.respond_with(
        altered_response(version="HTTP/1.0", headers={"Content-Length": None}, ending=ConnectionEnd.FIN)
    )
    file = await raw.download()
    assert (file.attempts, file.verified) == (1, "checksum")


async def test_http_1_0_without_a_length_and_cut(raw: RawDownloadScenario) -> None:
    """The hash tells that it was not the end, and the object is fetched again."""
    raw.respond_with(
        altered_response(version="HTTP/1.0", headers={"Content-Length": None}, truncate_at=AFTER)
    )
    assert (await raw.download()).attempts == 2


async def test_http_1_0_without_length_or_hash(raw: RawDownloadScenario) -> None:
    """Nothing can tell; the report says that nothing was verified."""
    raw.respond_with(
        altered_response(
            version="HTTP/1.0", headers={"Content-Length": None, **NO_HASH}, ending=ConnectionEnd.FIN
        )
    )
    assert (await raw.download()).verified == "none"


@pytest.mark.parametrize("line", ["HTTP/1.1 abc OK", "HTTP/9", "200 OK HTTP/1.1", "\0\0\0\0"])
async def test_a_status_line_of_no_sense(raw: RawDownloadScenario, line: str) -> None:
    """What is no HTTP is asked for again."""
    raw.respond_with(lambda _, stored: f"{line}\r\nContent-Length: 5\r\n\r\nhello".encode())
    assert (await raw.download()).attempts == 2


async def test_another_protocol_for_ever(raw: RawDownloadScenario) -> None:
    """A host that speaks something else is reported as unreachable, with all tries spent."""
    raw.always_respond_with(lambda _, __: b"SSH-2.0-OpenSSH_9.9\r\n")
    await raw.download_error(StorageUnreachableError)
    assert len(raw.storage.requests) == 5


async def test_an_empty_object(raw: RawDownloadScenario) -> None:
    """No bytes are an object, too: the file is there, and empty."""
    raw.replace_object(b"")
    file = await raw.download()
    assert (file.size, file.verified) == (0, "checksum")


async def test_an_empty_object_in_chunks(raw: RawDownloadScenario) -> None:
    """A last chunk alone is a whole body."""
    raw.replace_object(b"")
    raw.respond_with(altered_response(headers={**CHUNKED, **NO_HASH}, body=encode_chunks(b"")))
    assert (await raw.download()).size == 0


async def test_an_object_of_one_byte(raw: RawDownloadScenario) -> None:
    """It arrives."""
    raw.replace_object(b"1")
    assert (await raw.download()).size == 1


async def test_a_head_and_no_body(raw: RawDownloadScenario) -> None:
    """A connection that ends behind the head has brought nothing, not an empty file."""
    raw.respond_with(truncated_response(0))
    assert (await raw.download()).attempts == 2


async def test_a_head_that_breaks_off(raw: RawDownloadScenario) -> None:
    """The end of the connection within the head is a failed try."""
    raw.respond_with(lambda _, __: b"HTTP/1.1 200 OK\r\nContent-Len")
    assert (await raw.download()).attempts == 2


async def test_a_connection_that_says_nothing(raw: RawDownloadScenario) -> None:
    """One that is closed without a byte is a failed try."""
    raw.respond_with(lambda _, __: b"")
    assert (await raw.download()).attempts == 2


@pytest.mark.parametrize("status", ["201 Created", "203 Non-Authoritative Information", "207 Multi-Status"])
async def test_another_success_than_200(raw: RawDownloadScenario, status: str) -> None:
    """Only a 200 carries the object; the error names the status."""
    raw.always_respond_with(altered_response(status=status))
    assert (await raw.download_error(StorageError)).status == int(status[:3])


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_a_status_that_has_no_body(raw: RawDownloadScenario, status: str) -> None:
    """Nothing came, and no empty file is made of it."""
    raw.always_respond_with(text_response(status, headers={"Content-Length": None}))
    assert (await raw.download_error(StorageError)).status == int(status[:3])


async def test_a_head_of_megabytes(raw: RawDownloadScenario) -> None:
    """It is not gathered in memory: the try fails, and the next one finds the object."""
    raw.respond_with(altered_response(headers={"X-Large": "x" * 2_000_000}, ending=ConnectionEnd.FIN))
    assert (await raw.download()).attempts == 2


async def test_a_head_of_megabytes_for_ever(raw: RawDownloadScenario) -> None:
    """It ends in an error, and not in a message of megabytes."""
    raw.always_respond_with(altered_response(headers={"X-Large": "x" * 2_000_000}, ending=ConnectionEnd.FIN))
    assert len(str(await raw.download_error(StorageUnreachableError))) < 1000


async def test_early_hints(raw: RawDownloadScenario) -> None:
    """Answers before the answer are passed over."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"
    raw.respond_with(lambda _, stored: hints + _closing(stored, {}).encode())
    assert (await raw.download()).attempts == 1


async def test_bytes_behind_the_end(raw: RawDownloadScenario) -> None:
    """What follows a whole body on its connection is neither appended nor taken for the next answer."""
    smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother"
    raw.respond_with(altered_response(body=raw.content + smuggled))
    await raw.download()
    await raw.download(overwrite=True)
    assert raw.path().read_bytes() == raw.content


def _closing(stored: StoredObject, headers: dict[str, str | None]) -> RawResponse:
    """Everything under a head that lies, and the end of the connection."""
    return RawResponse(
        status="200 OK",
        headers={"Content-Length": str(len(stored.content)), **stored.headers},
        body=stored.content,
        ending=ConnectionEnd.FIN,
    ).with_headers(headers)
