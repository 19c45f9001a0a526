"""Identity: bytes of two objects never meet in one file."""

from __future__ import annotations

import random

import pytest

from packagex_async import ChecksumError
from tests.faults.host import Play, Request, Sent, Stored
from tests.faults.plays import NO_HASH, NO_NAME, NONE, Headers, but, cut, honest, part
from tests.faults.trial import Raw

AFTER = 30_000
OTHER = random.Random("other").randbytes(100_000)
"""As long as the object."""

SAME = {"ETag": '"same"', "x-goog-generation": "1"}


async def test_an_object_replaced_between_tries(raw: Raw) -> None:
    """`If-Range` no longer holds, so the new object comes whole, and is what the file holds."""
    raw.plays(cut(AFTER), _replaced(raw, OTHER))
    file = await raw.arrives()
    assert (file.resumed, file.path.read_bytes() == OTHER) == (False, True)


async def test_an_object_replaced_by_a_shorter_one(raw: Raw) -> None:
    """One that ends before the byte asked for is fetched whole."""
    raw.plays(cut(AFTER), _replaced(raw, OTHER[:50]))
    assert (await raw.arrives()).size == 50


async def test_an_object_replaced_again_and_again(raw: Raw) -> None:
    """Whichever is whole at last is what the file holds."""
    raw.plays(cut(AFTER), _replaced(raw, OTHER, AFTER), _replaced(raw, OTHER[::-1], AFTER))
    assert (await raw.arrives()).path.read_bytes() == OTHER[::-1]


async def test_another_etag_on_a_206(raw: Raw) -> None:
    """A host that ignores `If-Range` and goes on with another object is found out by its ETag."""
    raw.tells(NO_HASH)
    raw.plays(cut(AFTER), _follows(raw, OTHER, NO_HASH))
    assert not (await raw.arrives()).resumed


async def test_another_generation_on_a_206(raw: Raw) -> None:
    """Without ETags, the generation tells."""
    raw.tells({"ETag": None})
    raw.plays(cut(AFTER), _follows(raw, OTHER, {"ETag": None}))
    assert (await raw.arrives()).attempts == 2


async def test_another_date_on_a_206(raw: Raw) -> None:
    """Without ETags and generations, the date tells."""
    raw.tells({"ETag": None, "x-goog-generation": None})
    raw.plays(cut(AFTER), _follows(raw, OTHER, {"ETag": None, "x-goog-generation": None}))
    assert (await raw.arrives()).attempts == 2


@pytest.mark.one_connection
@pytest.mark.parametrize("tag", [None, 'W/"1"', "", "unquoted"])
async def test_no_strong_etag_on_a_206(raw: Raw, tag: str | None) -> None:
    """Where the first answer bore a strong ETag, a part that does not is of another object."""
    raw.plays(cut(AFTER), part(AFTER, headers={"ETag": tag}))
    await raw.arrives()
    assert raw.host.ranges == [None, f"bytes={AFTER}-", None]


@pytest.mark.parametrize("tag", ['""', "", '"', "*", 'W/""'])
async def test_an_etag_that_identifies_nothing(raw: Raw, tag: str) -> None:
    """A replaced object of the same length is not appended to the bytes of the old one."""
    raw.tells({**NO_HASH, **NO_NAME, "ETag": tag})
    raw.plays(cut(AFTER))
    raw.wholes["csv"].append(OTHER)
    told = {**NO_HASH, **NO_NAME, "ETag": tag}
    raw.always(lambda request, _: honest(request, Stored.of(OTHER).having(told)))
    assert not (await raw.arrives()).resumed


@pytest.mark.one_connection
async def test_other_bytes_under_the_same_etag(raw: Raw) -> None:
    """The hash of the whole condemns the mixture; what is fetched from zero stands."""
    raw.plays(cut(AFTER, headers=SAME), _follows(raw, OTHER, SAME))
    file = await raw.arrives()
    assert (file.attempts, file.verified) == (3, "checksum")


@pytest.mark.one_connection
async def test_other_bytes_under_the_same_etag_for_ever(raw: Raw) -> None:
    """Refetched once, then it is an error; the mixture is never published."""
    for content in (OTHER, OTHER[::-1]):
        raw.plays(cut(AFTER, headers=SAME), _follows(raw, content, SAME))
    await raw.fails(ChecksumError)


async def test_an_etag_that_looks_like_a_hash(raw: Raw) -> None:
    """It is a name and nothing else: the bytes are not measured by it."""
    raw.tells({"ETag": f'"{"0" * 32}"', **NO_HASH})
    assert (await raw.arrives()).verified == "length"


async def test_a_hash_on_a_206(raw: Raw) -> None:
    """It may be the part's: the whole is held against the hash it came with, and no other."""
    part_hash = Stored.of(raw.content[AFTER:]).headers["x-goog-hash"]
    raw.plays(cut(AFTER), part(AFTER, headers={"x-goog-hash": part_hash}))
    file = await raw.arrives()
    assert (file.resumed, file.verified) == (True, "checksum")


@pytest.mark.one_connection
async def test_an_etag_that_needs_its_exact_spelling(raw: Raw) -> None:
    """`If-Range` sends it back as it came."""
    raw.tells({"ETag": "\"a:b%2F,; 'x'\""})
    raw.plays(cut(AFTER))
    assert (await raw.arrives()).resumed
    assert raw.host.requests[1].headers["If-Range"] == "\"a:b%2F,; 'x'\""


def _replaced(raw: Raw, content: bytes, after: int | None = None) -> Play:
    """The object is replaced; an honest answer, cut `after` bytes, is of the new one."""

    def play(request: Request, _: Stored) -> Sent:
        raw.stores(content, version=len(raw.wholes["csv"]) + 1)
        return (but() if after is None else cut(after))(request, raw.host.stored)

    return play


def _follows(raw: Raw, content: bytes, headers: Headers = NONE) -> Play:
    """The object is replaced, and the new one's bytes are sent from where the old one's broke off."""

    def play(request: Request, _: Stored) -> Sent:
        raw.stores(content, version=len(raw.wholes["csv"]) + 1)
        return part(AFTER, headers=headers)(request, raw.host.stored)

    return play
