"""Identity: bytes of two objects never meet in one file."""

from __future__ import annotations

import random

import pytest

from packagex_async import ChecksumError
from tests.faults.responses import (
    NO_HASH,
    NO_HEADERS,
    Headers,
    altered_response,
    partial_response,
    truncated_response,
)
from tests.faults.scenario import RawDownloadScenario
from tests.faults.storage_server import Request, Responder, ServerAction, StoredObject

AFTER = 30_000
OTHER = random.Random("other").randbytes(100_000)
"""As long as the object."""

SAME = {"ETag": '"same"', "x-goog-generation": "1"}


async def test_an_object_replaced_between_tries(raw: RawDownloadScenario) -> None:
    """`If-Range` no longer holds, so the new object comes whole, and is what the file holds."""
    raw.respond_with(truncated_response(AFTER), _replaced(raw, OTHER))
    file = await raw.download()
    assert (file.resumed, file.path.read_bytes() == OTHER) == (False, True)


async def test_an_object_replaced_by_a_shorter_one(raw: RawDownloadScenario) -> None:
    """One that ends before the byte asked for is fetched whole."""
    raw.respond_with(truncated_response(AFTER), _replaced(raw, OTHER[:50]))
    assert (await raw.download()).size == 50


async def test_an_object_replaced_again_and_again(raw: RawDownloadScenario) -> None:
    """Whichever is whole at last is what the file holds."""
    raw.respond_with(
        truncated_response(AFTER), _replaced(raw, OTHER, AFTER), _replaced(raw, OTHER[::-1], AFTER)
    )
    assert (await raw.download()).path.read_bytes() == OTHER[::-1]


async def test_another_etag_on_a_206(raw: RawDownloadScenario) -> None:
    """A host that ignores `If-Range` and goes on with another object is found out by its ETag."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(AFTER), _follows(raw, OTHER, NO_HASH))
    assert not (await raw.download()).resumed


async def test_another_generation_on_a_206(raw: RawDownloadScenario) -> None:
    """Without ETags, the generation tells."""
    raw.set_headers({"ETag": None})
    raw.respond_with(truncated_response(AFTER), _follows(raw, OTHER, {"ETag": None}))
    assert (await raw.download()).attempts == 2


async def test_another_date_on_a_206(raw: RawDownloadScenario) -> None:
    """Without ETags and generations, the date tells."""
    raw.set_headers({"ETag": None, "x-goog-generation": None})
    raw.respond_with(
        truncated_response(AFTER), _follows(raw, OTHER, {"ETag": None, "x-goog-generation": None})
    )
    assert (await raw.download()).attempts == 2


@pytest.mark.one_connection
@pytest.mark.parametrize("tag", [None, 'W/"1"', "", "unquoted"])
async def test_no_strong_etag_on_a_206(raw: RawDownloadScenario, tag: str | None) -> None:
    """Where the first answer bore a strong ETag, a part that does not is of another object."""
    raw.respond_with(truncated_response(AFTER), partial_response(AFTER, headers={"ETag": tag}))
    await raw.download()
    assert raw.storage.requested_ranges == [None, f"bytes={AFTER}-", None]


@pytest.mark.one_connection
async def test_other_bytes_under_the_same_etag(raw: RawDownloadScenario) -> None:
    """The hash of the whole condemns the mixture; what is fetched from zero stands."""
    raw.respond_with(truncated_response(AFTER, headers=SAME), _follows(raw, OTHER, SAME))
    file = await raw.download()
    assert (file.attempts, file.verified) == (3, "checksum")


@pytest.mark.one_connection
async def test_other_bytes_under_the_same_etag_for_ever(raw: RawDownloadScenario) -> None:
    """Refetched once, then it is an error; the mixture is never published."""
    for content in (OTHER, OTHER[::-1]):
        raw.respond_with(truncated_response(AFTER, headers=SAME), _follows(raw, content, SAME))
    await raw.download_error(ChecksumError)


async def test_an_etag_that_looks_like_a_hash(raw: RawDownloadScenario) -> None:
    """It is a name and nothing else: the bytes are not measured by it."""
    raw.set_headers({"ETag": f'"{"0" * 32}"', **NO_HASH})
    assert (await raw.download()).verified == "length"


async def test_a_hash_on_a_206(raw: RawDownloadScenario) -> None:
    """It may be the part's: the whole is held against the hash it came with, and no other."""
    part_hash = StoredObject.of(raw.content[AFTER:]).headers["x-goog-hash"]
    raw.respond_with(truncated_response(AFTER), partial_response(AFTER, headers={"x-goog-hash": part_hash}))
    file = await raw.download()
    assert (file.resumed, file.verified) == (True, "checksum")


@pytest.mark.one_connection
async def test_an_etag_that_needs_its_exact_spelling(raw: RawDownloadScenario) -> None:
    """`If-Range` sends it back as it came."""
    raw.set_headers({"ETag": "\"a:b%2F,; 'x'\""})
    raw.respond_with(truncated_response(AFTER))
    assert (await raw.download()).resumed
    assert raw.storage.requests[1].headers["If-Range"] == "\"a:b%2F,; 'x'\""


def _replaced(raw: RawDownloadScenario, content: bytes, after: int | None = None) -> Responder:
    """The object is replaced; an honest answer, cut `after` bytes, is of the new one."""

    def play(request: Request, _: StoredObject) -> ServerAction:
        raw.replace_object(content, version=len(raw.versions["csv"]) + 1)
        return (altered_response() if after is None else truncated_response(after))(
            request, raw.storage.stored
        )

    return play


def _follows(raw: RawDownloadScenario, content: bytes, headers: Headers = NO_HEADERS) -> Responder:
    """The object is replaced, and the new one's bytes are sent from where the old one's broke off."""

    def play(request: Request, _: StoredObject) -> ServerAction:
        raw.replace_object(content, version=len(raw.versions["csv"]) + 1)
        return partial_response(AFTER, headers=headers)(request, raw.storage.stored)

    return play
