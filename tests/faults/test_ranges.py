"""Ranges: a transfer resumes from its last byte only if the response is known to continue the same object."""

from __future__ import annotations

import attrs
import pytest

from packagex_async import RetryPolicy, StorageError
from tests.faults.responses import (
    CHUNKED,
    NO_HASH,
    altered_response,
    correct_response,
    encode_chunks,
    full_response,
    partial_response,
    text_response,
    truncated_response,
)
from tests.faults.scenario import RawDownloadScenario
from tests.faults.storage_server import RawResponse, Request, Responder, ServerAction, StoredObject

AFTER = 30_000
RESUMED = [None, f"bytes={AFTER}-"]
RESTARTED = [*RESUMED, None]


@pytest.mark.one_connection
@pytest.mark.hashes
async def test_resume_from_last_byte(raw: RawDownloadScenario) -> None:
    """The rest is requested with `Range` and `If-Range`, and no byte is downloaded twice."""
    raw.respond_with(truncated_response(AFTER))
    file = await raw.download()
    assert (file.attempts, file.resumed, file.verified) == (2, True, "checksum")
    assert raw.storage.requested_ranges == RESUMED
    assert raw.storage.requests[1].headers["If-Range"] == raw.storage.stored.headers["ETag"]


@pytest.mark.one_connection
async def test_resume_of_last_byte(raw: RawDownloadScenario) -> None:
    """One byte is requested and received."""
    raw.respond_with(truncated_response(len(raw.content) - 1))
    await raw.download()
    assert raw.storage.requested_ranges == [None, f"bytes={len(raw.content) - 1}-"]


@pytest.mark.one_connection
async def test_repeated_interruptions(raw: RawDownloadScenario) -> None:
    """Attempts that receive new bytes do not count towards `RetryPolicy.attempts`."""
    raw.options["retry"] = RetryPolicy(attempts=2, wait_initial=0)
    raw.respond_with(*[truncated_response(7_000)] * 12)
    assert (await raw.download()).attempts == 13
    assert raw.storage.requested_ranges == [None, *(f"bytes={7_000 * times}-" for times in range(1, 13))]


@pytest.mark.one_connection
async def test_503_during_resume(raw: RawDownloadScenario) -> None:
    """A 503 between two parts costs an attempt, but no received byte."""
    raw.respond_with(truncated_response(AFTER), text_response("503 Service Unavailable"))
    assert (await raw.download()).resumed
    assert raw.storage.requested_ranges == [*RESUMED, f"bytes={AFTER}-"]


@pytest.mark.one_connection
async def test_200_for_range(raw: RawDownloadScenario) -> None:
    """A host that ignores `Range` sends the complete object, which is not appended."""
    raw.respond_with(truncated_response(AFTER), full_response())
    assert not (await raw.download()).resumed
    assert raw.storage.requested_ranges == RESUMED


@pytest.mark.one_connection
async def test_206_with_earlier_start(raw: RawDownloadScenario) -> None:
    """A part that starts before the requested byte is not appended."""
    raw.respond_with(truncated_response(AFTER), partial_response(AFTER - 1))
    assert not (await raw.download()).resumed
    assert raw.storage.requested_ranges == RESTARTED


@pytest.mark.one_connection
async def test_206_with_later_start(raw: RawDownloadScenario) -> None:
    """A part that starts after the requested byte is not appended."""
    raw.respond_with(truncated_response(AFTER), partial_response(AFTER + 1))
    await raw.download()
    assert raw.storage.requested_ranges == RESTARTED


@pytest.mark.one_connection
@pytest.mark.hashes
async def test_206_with_wrong_bytes(raw: RawDownloadScenario) -> None:
    """The hash reveals bytes that do not match `Content-Range`; the object is downloaded from zero."""
    raw.respond_with(truncated_response(AFTER), altered_response(body=raw.content[AFTER - 1 : -1]))
    file = await raw.download()
    assert (file.attempts, file.resumed) == (3, False)


@pytest.mark.one_connection
@pytest.mark.parametrize("total", ["100001", "99999", "*"])
async def test_206_with_other_total(raw: RawDownloadScenario, total: str) -> None:
    """A part of an object with another length, or an unknown one, is not appended."""
    raw.respond_with(
        truncated_response(AFTER),
        partial_response(AFTER, headers={"Content-Range": f"bytes {AFTER}-99999/{total}"}),
    )
    await raw.download()
    assert raw.storage.requested_ranges == RESTARTED


@pytest.mark.one_connection
async def test_206_without_content_range(raw: RawDownloadScenario) -> None:
    """A part without `Content-Range` is not appended."""
    raw.respond_with(truncated_response(AFTER), partial_response(AFTER, headers={"Content-Range": None}))
    await raw.download()
    assert raw.storage.requested_ranges == RESTARTED


@pytest.mark.one_connection
@pytest.mark.parametrize(
    "span", [f"bytes {AFTER}-{AFTER - 1}/100000", f"items {AFTER}-99999/100000", "bytes", f"bytes {AFTER}-"]
)
async def test_206_with_invalid_content_range(raw: RawDownloadScenario, span: str) -> None:
    """A range that is reversed, in other units or incomplete is invalid."""
    raw.respond_with(truncated_response(AFTER), partial_response(AFTER, headers={"Content-Range": span}))
    await raw.download()
    assert raw.storage.requested_ranges == RESTARTED


@pytest.mark.one_connection
async def test_206_shorter_than_requested(raw: RawDownloadScenario) -> None:
    """The received bytes are kept, and the rest is requested."""
    raw.respond_with(truncated_response(AFTER), partial_response(AFTER, 2 * AFTER - 1))
    assert (await raw.download()).resumed
    assert raw.storage.requested_ranges == [*RESUMED, f"bytes={2 * AFTER}-"]


@pytest.mark.one_connection
async def test_206_longer_than_declared(raw: RawDownloadScenario) -> None:
    """Bytes beyond the end of the object cause a new download from zero."""
    surplus = raw.content[AFTER:] + b"surplus"
    raw.respond_with(
        truncated_response(AFTER),
        altered_response(body=surplus, headers={"Content-Length": str(len(surplus))}),
    )
    assert not (await raw.download()).resumed


@pytest.mark.parametrize("max_size", [10_000, 100_000])
@pytest.mark.parametrize("surplus", [b"", b"x", b"x" * 20_000], ids=["none", "one-byte", "many"])
async def test_chunked_206_longer_than_its_range(
    raw: RawDownloadScenario, max_size: int, surplus: bytes
) -> None:
    """Without a length, `Content-Range` limits the body: bytes after its end are not written."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(AFTER))
    raw.always_respond_with(_chunked_ranges(max_size, surplus))
    await raw.download()


@pytest.mark.parametrize("max_size", [10_000, 100_000])
@pytest.mark.parametrize("surplus", [b"", b"x", b"x" * 20_000], ids=["none", "one-byte", "many"])
async def test_stream_with_chunked_206_longer_than_its_range(
    raw: RawDownloadScenario, max_size: int, surplus: bytes
) -> None:
    """A stream does not yield bytes after the end of the range."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(AFTER))
    raw.always_respond_with(_chunked_ranges(max_size, surplus))
    async with raw.client() as px, px.exports.stream(raw.export_id, "csv") as body:
        assert b"".join([block async for block in body]) == raw.content


@pytest.mark.one_connection
async def test_multipart_byteranges(raw: RawDownloadScenario) -> None:
    """A multipart body is not appended."""
    kind = {"Content-Type": "multipart/byteranges; boundary=b", "Content-Range": None}
    raw.respond_with(truncated_response(AFTER), partial_response(AFTER, headers=kind))
    await raw.download()
    assert raw.storage.requested_ranges == RESTARTED


@pytest.mark.one_connection
async def test_206_with_encoding(raw: RawDownloadScenario) -> None:
    """An encoded part is not appended to plain bytes."""
    raw.respond_with(truncated_response(AFTER), partial_response(AFTER, headers={"Content-Encoding": "gzip"}))
    await raw.download()
    assert raw.storage.requested_ranges == RESTARTED


@pytest.mark.one_connection
@pytest.mark.parametrize("content_range", ["bytes */100000", None, "nonsense"])
async def test_416_for_resume(raw: RawDownloadScenario, content_range: str | None) -> None:
    """The object is downloaded once from zero, regardless of the total in the response."""
    raw.respond_with(
        truncated_response(AFTER),
        text_response("416 Range Not Satisfiable", headers={"Content-Range": content_range}),
    )
    await raw.download()
    assert raw.storage.requested_ranges == RESTARTED


async def test_range_beyond_end(raw: RawDownloadScenario) -> None:
    """An object that was replaced by a shorter one is downloaded from zero."""

    def replaced(request: Request, stored: StoredObject) -> ServerAction:
        raw.replace_object(b"short", version=2)
        return text_response("416 Range Not Satisfiable", headers={"Content-Range": "bytes */5"})(
            request, stored
        )

    raw.respond_with(truncated_response(AFTER), replaced)
    assert (await raw.download()).size == 5


async def test_416_for_first_request(raw: RawDownloadScenario) -> None:
    """A 416 for a request without a range is final."""
    raw.always_respond_with(text_response("416 Range Not Satisfiable"))
    assert (await raw.download_error(StorageError)).status == 416


async def test_206_for_first_request(raw: RawDownloadScenario) -> None:
    """A partial response to a request without a range is an error."""
    raw.always_respond_with(partial_response(0))
    assert (await raw.download_error(StorageError)).status == 206


@pytest.mark.hashes
async def test_weak_etag(raw: RawDownloadScenario) -> None:
    """A weak ETag is not sent as `If-Range`; date, length and hash confirm the object."""
    raw.set_headers({"ETag": 'W/"1"', "x-goog-generation": None})
    raw.respond_with(truncated_response(AFTER))
    assert (await raw.download()).resumed
    assert "If-Range" not in raw.storage.requests[1].headers


@pytest.mark.one_connection
@pytest.mark.hashes
async def test_generation_with_hash(raw: RawDownloadScenario) -> None:
    """Without an ETag, the generation identifies the object."""
    raw.set_headers({"ETag": None, "Last-Modified": None})
    raw.respond_with(truncated_response(AFTER))
    assert (await raw.download()).resumed


@pytest.mark.hashes
async def test_date_with_hash(raw: RawDownloadScenario) -> None:
    """Without an ETag and a generation, `Last-Modified` is enough if a hash is declared."""
    raw.set_headers({"ETag": None, "x-goog-generation": None})
    raw.respond_with(truncated_response(AFTER))
    assert (await raw.download()).resumed


@pytest.mark.parametrize("name", ["Last-Modified", "x-goog-generation"])
async def test_date_or_generation_without_hash(raw: RawDownloadScenario, name: str) -> None:
    """Without a hash, a date or a generation is not enough: the transfer starts from zero."""
    raw.set_headers({"ETag": None, "Last-Modified": None, "x-goog-generation": None, **NO_HASH, name: "7"})
    raw.respond_with(truncated_response(AFTER))
    file = await raw.download()
    assert (file.resumed, file.verified) == (False, "length")
    assert raw.storage.requested_ranges == [None, None]


async def test_hash_without_validators(raw: RawDownloadScenario) -> None:
    """A hash alone does not identify the object: the transfer starts from zero."""
    raw.set_headers({"ETag": None, "Last-Modified": None, "x-goog-generation": None})
    raw.respond_with(truncated_response(AFTER))
    assert not (await raw.download()).resumed
    assert raw.storage.requested_ranges == [None, None]


def _chunked_ranges(max_size: int, surplus: bytes) -> Responder:
    """Respond to ranges with at most `max_size` bytes in chunks, followed by `surplus`."""

    def respond(request: Request, stored: StoredObject) -> ServerAction:
        if request.range_start is None:
            return correct_response(request, stored)
        last = len(stored.content) - 1 if request.range_end is None else request.range_end
        last = min(request.range_start + max_size - 1, last)
        response = partial_response(request.range_start, last)(request, stored)
        assert isinstance(response, RawResponse)
        return attrs.evolve(response, body=encode_chunks(response.body + surplus)).with_headers(CHUNKED)

    return respond
