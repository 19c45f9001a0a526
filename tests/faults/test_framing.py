"""Framing: a body is whole when its declared end is reached, and never because the connection ended."""

from __future__ import annotations

import gzip
import re
import zlib

import pytest

from packagex_async import IncompleteBodyError, StorageError, StorageUnreachableError
from tests.faults.host import Answer, Ending, Stored
from tests.faults.plays import CHUNKED, NO_HASH, but, chunks, cut, says
from tests.faults.trial import Raw

AFTER = 30_000


async def test_chunked_and_whole(raw: Raw) -> None:
    """A body without a length ends with its last chunk, and is checked by its hash."""
    raw.plays(but(headers=CHUNKED, body=chunks(raw.content)))
    file = await raw.arrives()
    assert (file.attempts, file.verified) == (1, "checksum")


@pytest.mark.one_connection
async def test_chunked_and_cut_within_a_chunk(raw: Raw) -> None:
    """What came is not taken for whole; without a total there is no resuming, so it starts anew."""
    raw.plays(but(headers=CHUNKED, body=chunks(raw.content), cut=AFTER))
    assert (await raw.arrives()).attempts == 2
    assert raw.host.ranges == [None, None]


async def test_chunked_without_its_last_chunk(raw: Raw) -> None:
    """All bytes are there, but nothing says so: they are fetched again."""
    raw.plays(but(headers={**CHUNKED, **NO_HASH}, body=chunks(raw.content), cut=-5))
    assert (await raw.arrives()).attempts == 2


async def test_chunked_with_a_size_of_no_sense(raw: Raw) -> None:
    """A chunk size that is no number ends the try."""
    raw.plays(but(headers=CHUNKED, body=b"zz\r\n" + chunks(raw.content), ending=Ending.FIN))
    assert (await raw.arrives()).attempts == 2


@pytest.mark.one_connection
async def test_a_content_length_that_is_too_long(raw: Raw) -> None:
    """A host that always promises more than it has ends in an error that says how many bytes came."""
    raw.always(lambda _, stored: _closing(stored, {"Content-Length": "100005"}))
    error = await raw.fails(IncompleteBodyError)
    # What aiohttp still holds when the connection ends may be lost.
    assert re.search(r"after \d+ of 100005 bytes", str(error))


@pytest.mark.one_connection
async def test_a_content_length_that_is_too_short(raw: Raw) -> None:
    """The hash condemns what was cut off by its own head."""
    raw.plays(lambda _, stored: _closing(stored, {"Content-Length": "99995"}))
    assert (await raw.arrives()).attempts == 2


@pytest.mark.parametrize("length", ["-1", "+100000", "1e5", "0x10", "100000, 100001", "ten"])
async def test_a_content_length_of_no_sense(raw: Raw, length: str) -> None:
    """What is no number of bytes is no length; the object is asked for again."""
    raw.plays(lambda _, stored: _closing(stored, {"Content-Length": length}))
    await raw.arrives()


async def test_two_content_lengths_that_differ(raw: Raw) -> None:
    """Whichever is believed, the file is whole."""
    raw.plays(but(headers={"content-length": "5"}, ending=Ending.FIN))
    await raw.arrives()


async def test_chunks_beside_a_content_length(raw: Raw) -> None:
    """A head that frames its body twice spoils nothing."""
    raw.plays(but(headers={"Transfer-Encoding": "chunked"}, body=chunks(raw.content), ending=Ending.FIN))
    await raw.arrives()


async def test_http_1_0_without_a_length(raw: Raw) -> None:
    """The end of the connection is the end of the body, and the hash says whether it was."""
    raw.plays(but(version="HTTP/1.0", headers={"Content-Length": None}, ending=Ending.FIN))
    file = await raw.arrives()
    assert (file.attempts, file.verified) == (1, "checksum")


async def test_http_1_0_without_a_length_and_cut(raw: Raw) -> None:
    """The hash tells that it was not the end, and the object is fetched again."""
    raw.plays(but(version="HTTP/1.0", headers={"Content-Length": None}, cut=AFTER))
    assert (await raw.arrives()).attempts == 2


async def test_http_1_0_without_length_or_hash(raw: Raw) -> None:
    """Nothing can tell; the report says that nothing was verified."""
    raw.plays(but(version="HTTP/1.0", headers={"Content-Length": None, **NO_HASH}, ending=Ending.FIN))
    assert (await raw.arrives()).verified == "none"


@pytest.mark.parametrize("line", ["HTTP/1.1 abc OK", "HTTP/9", "200 OK HTTP/1.1", "\0\0\0\0"])
async def test_a_status_line_of_no_sense(raw: Raw, line: str) -> None:
    """What is no HTTP is asked for again."""
    raw.plays(lambda _, stored: f"{line}\r\nContent-Length: 5\r\n\r\nhello".encode())
    assert (await raw.arrives()).attempts == 2


async def test_another_protocol_for_ever(raw: Raw) -> None:
    """A host that speaks something else is reported as unreachable, with all tries spent."""
    raw.always(lambda _, __: b"SSH-2.0-OpenSSH_9.9\r\n")
    await raw.fails(StorageUnreachableError)
    assert len(raw.host.requests) == 5


async def test_an_empty_object(raw: Raw) -> None:
    """No bytes are an object, too: the file is there, and empty."""
    raw.stores(b"")
    file = await raw.arrives()
    assert (file.size, file.verified) == (0, "checksum")


async def test_an_empty_object_in_chunks(raw: Raw) -> None:
    """A last chunk alone is a whole body."""
    raw.stores(b"")
    raw.plays(but(headers={**CHUNKED, **NO_HASH}, body=chunks(b"")))
    assert (await raw.arrives()).size == 0


async def test_an_object_of_one_byte(raw: Raw) -> None:
    """It arrives."""
    raw.stores(b"1")
    assert (await raw.arrives()).size == 1


async def test_a_head_and_no_body(raw: Raw) -> None:
    """A connection that ends behind the head has brought nothing, not an empty file."""
    raw.plays(cut(0))
    assert (await raw.arrives()).attempts == 2


async def test_a_head_that_breaks_off(raw: Raw) -> None:
    """The end of the connection within the head is a failed try."""
    raw.plays(lambda _, __: b"HTTP/1.1 200 OK\r\nContent-Len")
    assert (await raw.arrives()).attempts == 2


async def test_a_connection_that_says_nothing(raw: Raw) -> None:
    """One that is closed without a byte is a failed try."""
    raw.plays(lambda _, __: b"")
    assert (await raw.arrives()).attempts == 2


@pytest.mark.parametrize("status", ["201 Created", "203 Non-Authoritative Information", "207 Multi-Status"])
async def test_another_success_than_200(raw: Raw, status: str) -> None:
    """Only a 200 carries the object; the error names the status."""
    raw.always(but(status=status))
    assert (await raw.fails(StorageError)).status == int(status[:3])


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_a_status_that_has_no_body(raw: Raw, status: str) -> None:
    """Nothing came, and no empty file is made of it."""
    raw.always(says(status, headers={"Content-Length": None}))
    assert (await raw.fails(StorageError)).status == int(status[:3])


async def test_a_head_of_megabytes(raw: Raw) -> None:
    """It is not gathered in memory: the try fails, and the next one finds the object."""
    raw.plays(but(headers={"X-Large": "x" * 2_000_000}, ending=Ending.FIN))
    assert (await raw.arrives()).attempts == 2


async def test_a_head_of_megabytes_for_ever(raw: Raw) -> None:
    """It ends in an error, and not in a message of megabytes."""
    raw.always(but(headers={"X-Large": "x" * 2_000_000}, ending=Ending.FIN))
    assert len(str(await raw.fails(StorageUnreachableError))) < 1000


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
async def test_a_transfer_coding_besides_chunks(raw: Raw, coding: str) -> None:
    """It is undone: the artifact is never the coded bytes."""
    body = zlib.compress(raw.content) if coding == "deflate" else gzip.compress(raw.content)
    told = {**NO_HASH, **CHUNKED, "Transfer-Encoding": f"{coding}, chunked"}
    raw.always(but(headers=told, body=chunks(body)))
    await raw.arrives()


async def test_a_transfer_coding_that_cannot_be_undone(raw: Raw) -> None:
    """Nor is it passed over."""
    told = {**NO_HASH, **CHUNKED, "Transfer-Encoding": "compress, chunked"}
    raw.always(but(headers=told, body=chunks(raw.content)))
    assert "compress" in str(await raw.fails(StorageError))


async def test_early_hints(raw: Raw) -> None:
    """Answers before the answer are passed over."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"
    raw.plays(lambda _, stored: hints + _closing(stored, {}).encode())
    assert (await raw.arrives()).attempts == 1


async def test_bytes_behind_the_end(raw: Raw) -> None:
    """What follows a whole body on its connection is neither appended nor taken for the next answer."""
    smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother"
    raw.plays(but(body=raw.content + smuggled))
    await raw.arrives()
    await raw.arrives(overwrite=True)
    assert raw.path().read_bytes() == raw.content


def _closing(stored: Stored, headers: dict[str, str | None]) -> Answer:
    """Everything under a head that lies, and the end of the connection."""
    return Answer(
        status="200 OK",
        headers={"Content-Length": str(len(stored.content)), **stored.headers},
        body=stored.content,
        ending=Ending.FIN,
    ).having(headers)
