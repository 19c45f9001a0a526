"""Ranges: a transfer goes on from its last byte only where what follows is known to follow."""

from __future__ import annotations

import pytest

from packagex_async import RetryPolicy, StorageError
from tests.faults.responses import (
    NO_HASH,
    altered_response,
    full_response,
    partial_response,
    text_response,
    truncated_response,
)
from tests.faults.scenario import RawDownloadScenario
from tests.faults.storage_server import Request, ServerAction, StoredObject

AFTER = 30_000
GO_ON = [None, f"bytes={AFTER}-"]
START_AGAIN = [*GO_ON, None]


@pytest.mark.one_connection
async def test_a_cut_body_is_resumed_from_its_last_byte(raw: RawDownloadScenario) -> None:
    """The rest is asked for with `Range` and `If-Range`, and no byte is fetched twice."""
    raw.respond_with(truncated_response(AFTER))
    file = await raw.download()
    assert (file.attempts, file.resumed, file.verified) == (2, True, "checksum")
    assert raw.storage.requested_ranges == GO_ON
    assert raw.storage.requests[1].headers["If-Range"] == raw.storage.stored.headers["ETag"]


@pytest.mark.one_connection
async def test_only_the_last_byte_is_missing(raw: RawDownloadScenario) -> None:
    """One byte is asked for, and one byte comes."""
    raw.respond_with(truncated_response(len(raw.content) - 1))
    await raw.download()
    assert raw.storage.requested_ranges == [None, f"bytes={len(raw.content) - 1}-"]


@pytest.mark.one_connection
async def test_a_body_cut_again_and_again(raw: RawDownloadScenario) -> None:
    """Tries that bring new bytes are not counted against the policy."""
    raw.options["retry"] = RetryPolicy(attempts=2, wait_initial=0)
    raw.respond_with(*[truncated_response(7_000)] * 12)
    assert (await raw.download()).attempts == 13
    assert raw.storage.requested_ranges == [None, *(f"bytes={7_000 * times}-" for times in range(1, 13))]


@pytest.mark.one_connection
async def test_a_resume_that_is_refused_for_a_while(raw: RawDownloadScenario) -> None:
    """A 503 between the two halves costs a try, not the bytes already here."""
    raw.respond_with(truncated_response(AFTER), text_response("503 Service Unavailable"))
    assert (await raw.download()).resumed
    assert raw.storage.requested_ranges == [*GO_ON, f"bytes={AFTER}-"]


@pytest.mark.one_connection
async def test_200_to_a_range(raw: RawDownloadScenario) -> None:
    """A host that ignores `Range` sends the whole, which starts from zero and is not appended."""
    raw.respond_with(truncated_response(AFTER), full_response())
    assert not (await raw.download()).resumed
    assert raw.storage.requested_ranges == GO_ON


@pytest.mark.one_connection
async def test_206_that_starts_earlier(raw: RawDownloadScenario) -> None:
    """A part from before the byte asked for is not appended."""
    raw.respond_with(truncated_response(AFTER), partial_response(AFTER - 1))
    assert not (await raw.download()).resumed
    assert raw.storage.requested_ranges == START_AGAIN


@pytest.mark.one_connection
async def test_206_that_starts_later(raw: RawDownloadScenario) -> None:
    """A part from behind the byte asked for leaves no hole."""
    raw.respond_with(truncated_response(AFTER), partial_response(AFTER + 1))
    await raw.download()
    assert raw.storage.requested_ranges == START_AGAIN


@pytest.mark.one_connection
async def test_206_that_says_one_start_and_sends_another(raw: RawDownloadScenario) -> None:
    """Where only the hash can tell, it does: the bytes are refetched from zero."""
    raw.respond_with(truncated_response(AFTER), altered_response(body=raw.content[AFTER - 1 : -1]))
    file = await raw.download()
    assert (file.attempts, file.resumed) == (3, False)


@pytest.mark.one_connection
@pytest.mark.parametrize("total", ["100001", "99999", "*"])
async def test_206_of_another_total(raw: RawDownloadScenario, total: str) -> None:
    """A part of an object that has another length, or none, is not appended."""
    raw.respond_with(
        truncated_response(AFTER),
        partial_response(AFTER, headers={"Content-Range": f"bytes {AFTER}-99999/{total}"}),
    )
    await raw.download()
    assert raw.storage.requested_ranges == START_AGAIN


@pytest.mark.one_connection
async def test_206_without_content_range(raw: RawDownloadScenario) -> None:
    """A part that does not say which is not appended."""
    raw.respond_with(truncated_response(AFTER), partial_response(AFTER, headers={"Content-Range": None}))
    await raw.download()
    assert raw.storage.requested_ranges == START_AGAIN


@pytest.mark.one_connection
@pytest.mark.parametrize(
    "span", [f"bytes {AFTER}-{AFTER - 1}/100000", f"items {AFTER}-99999/100000", "bytes", f"bytes {AFTER}-"]
)
async def test_206_with_a_content_range_of_no_sense(raw: RawDownloadScenario, span: str) -> None:
    """A range that is reversed, in other units or incomplete is none."""
    raw.respond_with(truncated_response(AFTER), partial_response(AFTER, headers={"Content-Range": span}))
    await raw.download()
    assert raw.storage.requested_ranges == START_AGAIN


@pytest.mark.one_connection
async def test_206_that_is_shorter_than_asked_for(raw: RawDownloadScenario) -> None:
    """What it brings is kept, and the rest asked for."""
    raw.respond_with(truncated_response(AFTER), partial_response(AFTER, 2 * AFTER - 1))
    assert (await raw.download()).resumed
    assert raw.storage.requested_ranges == [*GO_ON, f"bytes={2 * AFTER}-"]


@pytest.mark.one_connection
async def test_206_with_more_than_it_says(raw: RawDownloadScenario) -> None:
    """Bytes beyond the end of the object condemn the transfer, which starts anew."""
    surplus = raw.content[AFTER:] + b"surplus"
    raw.respond_with(
        truncated_response(AFTER),
        altered_response(body=surplus, headers={"Content-Length": str(len(surplus))}),
    )
    assert not (await raw.download()).resumed


@pytest.mark.one_connection
async def test_multipart_byteranges(raw: RawDownloadScenario) -> None:
    """A multipart body is no part of the object."""
    kind = {"Content-Type": "multipart/byteranges; boundary=b", "Content-Range": None}
    raw.respond_with(truncated_response(AFTER), partial_response(AFTER, headers=kind))
    await raw.download()
    assert raw.storage.requested_ranges == START_AGAIN


@pytest.mark.one_connection
async def test_206_that_is_compressed(raw: RawDownloadScenario) -> None:
    """A part of something compressed does not follow plain bytes."""
    raw.respond_with(truncated_response(AFTER), partial_response(AFTER, headers={"Content-Encoding": "gzip"}))
    await raw.download()
    assert raw.storage.requested_ranges == START_AGAIN


@pytest.mark.one_connection
@pytest.mark.parametrize("told", ["bytes */100000", None, "nonsense"])
async def test_416_to_a_resume(raw: RawDownloadScenario, told: str | None) -> None:
    """Whatever total it tells, or none: the partial never wedges, the object is refetched once, whole."""
    raw.respond_with(
        truncated_response(AFTER), text_response("416 Range Not Satisfiable", headers={"Content-Range": told})
    )
    await raw.download()
    assert raw.storage.requested_ranges == START_AGAIN


async def test_a_range_beyond_the_end(raw: RawDownloadScenario) -> None:
    """An object that was replaced by one shorter than the requested offset is fetched whole."""

    def replaced(request: Request, stored: StoredObject) -> ServerAction:
        raw.replace_object(b"short", version=2)
        return text_response("416 Range Not Satisfiable", headers={"Content-Range": "bytes */5"})(
            request, stored
        )

    raw.respond_with(truncated_response(AFTER), replaced)
    assert (await raw.download()).size == 5


async def test_416_to_the_first_request(raw: RawDownloadScenario) -> None:
    """Nobody asked for a range: it is an error, and final."""
    raw.always_respond_with(text_response("416 Range Not Satisfiable"))
    assert (await raw.download_error(StorageError)).status == 416


async def test_206_to_the_first_request(raw: RawDownloadScenario) -> None:
    """A part that nobody asked for is not taken for the whole."""
    raw.always_respond_with(partial_response(0))
    assert (await raw.download_error(StorageError)).status == 206


async def test_a_weak_etag(raw: RawDownloadScenario) -> None:
    """It names no bytes: date, length and hash must vouch for them, and no `If-Range` is sent."""
    raw.set_headers({"ETag": 'W/"1"', "x-goog-generation": None})
    raw.respond_with(truncated_response(AFTER))
    assert (await raw.download()).resumed
    assert "If-Range" not in raw.storage.requests[1].headers


@pytest.mark.one_connection
async def test_a_generation_and_a_hash(raw: RawDownloadScenario) -> None:
    """Without an ETag, Google's generation names the content."""
    raw.set_headers({"ETag": None, "Last-Modified": None})
    raw.respond_with(truncated_response(AFTER))
    assert (await raw.download()).resumed


async def test_a_date_and_a_hash(raw: RawDownloadScenario) -> None:
    """Without ETag and generation, `Last-Modified` will do where a hash checks the whole."""
    raw.set_headers({"ETag": None, "x-goog-generation": None})
    raw.respond_with(truncated_response(AFTER))
    assert (await raw.download()).resumed


@pytest.mark.parametrize("name", ["Last-Modified", "x-goog-generation"])
async def test_a_date_or_a_generation_without_a_hash(raw: RawDownloadScenario, name: str) -> None:
    """Nothing would check the whole, so that it starts from zero."""
    raw.set_headers({"ETag": None, "Last-Modified": None, "x-goog-generation": None, **NO_HASH, name: "7"})
    raw.respond_with(truncated_response(AFTER))
    file = await raw.download()
    assert (file.resumed, file.verified) == (False, "length")
    assert raw.storage.requested_ranges == [None, None]


async def test_nothing_that_names_the_content(raw: RawDownloadScenario) -> None:
    """A hash alone is no identity: the transfer starts from zero."""
    raw.set_headers({"ETag": None, "Last-Modified": None, "x-goog-generation": None})
    raw.respond_with(truncated_response(AFTER))
    assert not (await raw.download()).resumed
    assert raw.storage.requested_ranges == [None, None]
