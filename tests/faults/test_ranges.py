"""Ranges: a transfer goes on from its last byte only where what follows is known to follow."""

from __future__ import annotations

import attrs
import pytest

from packagex_async import RetryPolicy, StorageError
from tests.faults.host import Answer, Play, Request, Sent, Stored
from tests.faults.plays import CHUNKED, NO_HASH, but, chunks, cut, honest, part, says, whole
from tests.faults.trial import Raw

AFTER = 30_000
GO_ON = [None, f"bytes={AFTER}-"]
START_AGAIN = [*GO_ON, None]


@pytest.mark.one_connection
async def test_a_cut_body_is_resumed_from_its_last_byte(raw: Raw) -> None:
    """The rest is asked for with `Range` and `If-Range`, and no byte is fetched twice."""
    raw.plays(cut(AFTER))
    file = await raw.arrives()
    assert (file.attempts, file.resumed, file.verified) == (2, True, "checksum")
    assert raw.host.ranges == GO_ON
    assert raw.host.requests[1].headers["If-Range"] == raw.host.stored.headers["ETag"]


@pytest.mark.one_connection
async def test_only_the_last_byte_is_missing(raw: Raw) -> None:
    """One byte is asked for, and one byte comes."""
    raw.plays(cut(len(raw.content) - 1))
    await raw.arrives()
    assert raw.host.ranges == [None, f"bytes={len(raw.content) - 1}-"]


@pytest.mark.one_connection
async def test_a_body_cut_again_and_again(raw: Raw) -> None:
    """Tries that bring new bytes are not counted against the policy."""
    raw.options["retry"] = RetryPolicy(attempts=2, wait_initial=0)
    raw.plays(*[cut(7_000)] * 12)
    assert (await raw.arrives()).attempts == 13
    assert raw.host.ranges == [None, *(f"bytes={7_000 * times}-" for times in range(1, 13))]


@pytest.mark.one_connection
async def test_a_resume_that_is_refused_for_a_while(raw: Raw) -> None:
    """A 503 between the two halves costs a try, not the bytes already here."""
    raw.plays(cut(AFTER), says("503 Service Unavailable"))
    assert (await raw.arrives()).resumed
    assert raw.host.ranges == [*GO_ON, f"bytes={AFTER}-"]


@pytest.mark.one_connection
async def test_200_to_a_range(raw: Raw) -> None:
    """A host that ignores `Range` sends the whole, which starts from zero and is not appended."""
    raw.plays(cut(AFTER), whole())
    assert not (await raw.arrives()).resumed
    assert raw.host.ranges == GO_ON


@pytest.mark.one_connection
async def test_206_that_starts_earlier(raw: Raw) -> None:
    """A part from before the byte asked for is not appended."""
    raw.plays(cut(AFTER), part(AFTER - 1))
    assert not (await raw.arrives()).resumed
    assert raw.host.ranges == START_AGAIN


@pytest.mark.one_connection
async def test_206_that_starts_later(raw: Raw) -> None:
    """A part from behind the byte asked for leaves no hole."""
    raw.plays(cut(AFTER), part(AFTER + 1))
    await raw.arrives()
    assert raw.host.ranges == START_AGAIN


@pytest.mark.one_connection
async def test_206_that_says_one_start_and_sends_another(raw: Raw) -> None:
    """Where only the hash can tell, it does: the bytes are refetched from zero."""
    raw.plays(cut(AFTER), but(body=raw.content[AFTER - 1 : -1]))
    file = await raw.arrives()
    assert (file.attempts, file.resumed) == (3, False)


@pytest.mark.one_connection
@pytest.mark.parametrize("total", ["100001", "99999", "*"])
async def test_206_of_another_total(raw: Raw, total: str) -> None:
    """A part of an object that has another length, or none, is not appended."""
    raw.plays(cut(AFTER), part(AFTER, headers={"Content-Range": f"bytes {AFTER}-99999/{total}"}))
    await raw.arrives()
    assert raw.host.ranges == START_AGAIN


@pytest.mark.one_connection
async def test_206_without_content_range(raw: Raw) -> None:
    """A part that does not say which is not appended."""
    raw.plays(cut(AFTER), part(AFTER, headers={"Content-Range": None}))
    await raw.arrives()
    assert raw.host.ranges == START_AGAIN


@pytest.mark.one_connection
@pytest.mark.parametrize(
    "span", [f"bytes {AFTER}-{AFTER - 1}/100000", f"items {AFTER}-99999/100000", "bytes", f"bytes {AFTER}-"]
)
async def test_206_with_a_content_range_of_no_sense(raw: Raw, span: str) -> None:
    """A range that is reversed, in other units or incomplete is none."""
    raw.plays(cut(AFTER), part(AFTER, headers={"Content-Range": span}))
    await raw.arrives()
    assert raw.host.ranges == START_AGAIN


@pytest.mark.one_connection
async def test_206_that_is_shorter_than_asked_for(raw: Raw) -> None:
    """What it brings is kept, and the rest asked for."""
    raw.plays(cut(AFTER), part(AFTER, 2 * AFTER - 1))
    assert (await raw.arrives()).resumed
    assert raw.host.ranges == [*GO_ON, f"bytes={2 * AFTER}-"]


@pytest.mark.one_connection
async def test_206_with_more_than_it_says(raw: Raw) -> None:
    """Bytes beyond the end of the object condemn the transfer, which starts anew."""
    surplus = raw.content[AFTER:] + b"surplus"
    raw.plays(cut(AFTER), but(body=surplus, headers={"Content-Length": str(len(surplus))}))
    assert not (await raw.arrives()).resumed


def in_chunks(size: int, surplus: bytes) -> Play:
    """Answer ranges with at most `size` bytes in chunks, and with `surplus` behind what the head declares."""

    def play(request: Request, stored: Stored) -> Sent:
        if request.first is None:
            return honest(request, stored)
        last = len(stored.content) - 1 if request.last is None else request.last
        answer = part(request.first, min(request.first + size - 1, last))(request, stored)
        assert isinstance(answer, Answer)
        return attrs.evolve(answer, body=chunks(answer.body + surplus)).having(CHUNKED)

    return play


@pytest.mark.parametrize("size", [10_000, 100_000])
@pytest.mark.parametrize("surplus", [b"", b"x", b"x" * 20_000], ids=["none", "a-byte", "many"])
async def test_206_in_chunks_with_more_than_its_range(raw: Raw, size: int, surplus: bytes) -> None:
    """Without a length, the range says where the body ends: bytes behind that are not the object's."""
    raw.tells(NO_HASH)
    raw.plays(cut(AFTER))
    raw.always(in_chunks(size, surplus))
    await raw.arrives()


@pytest.mark.parametrize("size", [10_000, 100_000])
@pytest.mark.parametrize("surplus", [b"", b"x", b"x" * 20_000], ids=["none", "a-byte", "many"])
async def test_a_stream_and_206_in_chunks_with_more_than_its_range(
    raw: Raw, size: int, surplus: bytes
) -> None:
    """Nor are they handed out."""
    raw.tells(NO_HASH)
    raw.plays(cut(AFTER))
    raw.always(in_chunks(size, surplus))
    async with raw.client() as px, px.exports.stream(raw.export_id, "csv") as body:
        assert b"".join([block async for block in body]) == raw.content


@pytest.mark.one_connection
async def test_multipart_byteranges(raw: Raw) -> None:
    """A multipart body is no part of the object."""
    kind = {"Content-Type": "multipart/byteranges; boundary=b", "Content-Range": None}
    raw.plays(cut(AFTER), part(AFTER, headers=kind))
    await raw.arrives()
    assert raw.host.ranges == START_AGAIN


@pytest.mark.one_connection
async def test_206_that_is_compressed(raw: Raw) -> None:
    """A part of something compressed does not follow plain bytes."""
    raw.plays(cut(AFTER), part(AFTER, headers={"Content-Encoding": "gzip"}))
    await raw.arrives()
    assert raw.host.ranges == START_AGAIN


@pytest.mark.one_connection
@pytest.mark.parametrize("told", ["bytes */100000", None, "nonsense"])
async def test_416_to_a_resume(raw: Raw, told: str | None) -> None:
    """Whatever total it tells, or none: the partial never wedges, the object is refetched once, whole."""
    raw.plays(cut(AFTER), says("416 Range Not Satisfiable", headers={"Content-Range": told}))
    await raw.arrives()
    assert raw.host.ranges == START_AGAIN


async def test_a_range_beyond_the_end(raw: Raw) -> None:
    """An object that was replaced by one shorter than the requested offset is fetched whole."""

    def replaced(request: Request, stored: Stored) -> Sent:
        raw.stores(b"short", version=2)
        return says("416 Range Not Satisfiable", headers={"Content-Range": "bytes */5"})(request, stored)

    raw.plays(cut(AFTER), replaced)
    assert (await raw.arrives()).size == 5


async def test_416_to_the_first_request(raw: Raw) -> None:
    """Nobody asked for a range: it is an error, and final."""
    raw.always(says("416 Range Not Satisfiable"))
    assert (await raw.fails(StorageError)).status == 416


async def test_206_to_the_first_request(raw: Raw) -> None:
    """A part that nobody asked for is not taken for the whole."""
    raw.always(part(0))
    assert (await raw.fails(StorageError)).status == 206


async def test_a_weak_etag(raw: Raw) -> None:
    """It names no bytes: date, length and hash must vouch for them, and no `If-Range` is sent."""
    raw.tells({"ETag": 'W/"1"', "x-goog-generation": None})
    raw.plays(cut(AFTER))
    assert (await raw.arrives()).resumed
    assert "If-Range" not in raw.host.requests[1].headers


@pytest.mark.one_connection
async def test_a_generation_and_a_hash(raw: Raw) -> None:
    """Without an ETag, Google's generation names the content."""
    raw.tells({"ETag": None, "Last-Modified": None})
    raw.plays(cut(AFTER))
    assert (await raw.arrives()).resumed


async def test_a_date_and_a_hash(raw: Raw) -> None:
    """Without ETag and generation, `Last-Modified` will do where a hash checks the whole."""
    raw.tells({"ETag": None, "x-goog-generation": None})
    raw.plays(cut(AFTER))
    assert (await raw.arrives()).resumed


@pytest.mark.parametrize("name", ["Last-Modified", "x-goog-generation"])
async def test_a_date_or_a_generation_without_a_hash(raw: Raw, name: str) -> None:
    """Nothing would check the whole, so that it starts from zero."""
    raw.tells({"ETag": None, "Last-Modified": None, "x-goog-generation": None, **NO_HASH, name: "7"})
    raw.plays(cut(AFTER))
    file = await raw.arrives()
    assert (file.resumed, file.verified) == (False, "length")
    assert raw.host.ranges == [None, None]


async def test_nothing_that_names_the_content(raw: Raw) -> None:
    """A hash alone is no identity: the transfer starts from zero."""
    raw.tells({"ETag": None, "Last-Modified": None, "x-goog-generation": None})
    raw.plays(cut(AFTER))
    assert not (await raw.arrives()).resumed
    assert raw.host.ranges == [None, None]
