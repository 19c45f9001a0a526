"""Identity: a file never contains bytes of two objects."""

from __future__ import annotations

import random

import pytest

from packagex_async import ChecksumError
from tests.faults.responses import (
    NO_HASH,
    NO_HEADERS,
    NO_VALIDATORS,
    Headers,
    altered_response,
    correct_response,
    partial_response,
    truncated_response,
)
from tests.faults.scenario import RawDownloadScenario
from tests.faults.storage_server import Request, Responder, ServerAction, StoredObject

AFTER = 30_000
OTHER = random.Random("other").randbytes(100_000)
"""Another content of the same length."""

SAME = {"ETag": '"same"', "x-goog-generation": "1"}


async def test_object_replaced_between_attempts(raw: RawDownloadScenario) -> None:
    """`If-Range` does not match any more, so the new object is received from its first byte."""
    raw.respond_with(truncated_response(AFTER), _replace_object(raw, OTHER))
    file = await raw.download()
    assert (file.resumed, file.path.read_bytes() == OTHER) == (False, True)


async def test_object_replaced_by_shorter_one(raw: RawDownloadScenario) -> None:
    """A new object that is shorter than the received bytes is downloaded from its first byte."""
    raw.respond_with(truncated_response(AFTER), _replace_object(raw, OTHER[:50]))
    assert (await raw.download()).size == 50


async def test_object_replaced_repeatedly(raw: RawDownloadScenario) -> None:
    """The file contains the version that was received completely."""
    raw.respond_with(
        truncated_response(AFTER),
        _replace_object(raw, OTHER, AFTER),
        _replace_object(raw, OTHER[::-1], AFTER),
    )
    assert (await raw.download()).path.read_bytes() == OTHER[::-1]


async def test_206_with_other_etag(raw: RawDownloadScenario) -> None:
    """A host that ignores `If-Range` and sends another object is detected by the ETag."""
    raw.set_headers(NO_HASH)
    raw.respond_with(truncated_response(AFTER), _continue_with(raw, OTHER, NO_HASH))
    assert not (await raw.download()).resumed


async def test_206_with_other_generation(raw: RawDownloadScenario) -> None:
    """Without ETags, the generation is compared."""
    raw.set_headers({"ETag": None})
    raw.respond_with(truncated_response(AFTER), _continue_with(raw, OTHER, {"ETag": None}))
    assert (await raw.download()).attempts == 2


async def test_206_with_other_date(raw: RawDownloadScenario) -> None:
    """Without ETags and generations, `Last-Modified` is compared."""
    raw.set_headers({"ETag": None, "x-goog-generation": None})
    raw.respond_with(
        truncated_response(AFTER), _continue_with(raw, OTHER, {"ETag": None, "x-goog-generation": None})
    )
    assert (await raw.download()).attempts == 2


@pytest.mark.one_connection
@pytest.mark.parametrize("tag", [None, 'W/"1"', "", "unquoted"])
async def test_206_without_strong_etag(raw: RawDownloadScenario, tag: str | None) -> None:
    """After a response with a strong ETag, a partial response without it is refused."""
    raw.respond_with(truncated_response(AFTER), partial_response(AFTER, headers={"ETag": tag}))
    await raw.download()
    assert raw.storage.requested_ranges == [None, f"bytes={AFTER}-", None]


@pytest.mark.parametrize("tag", ['""', "", '"', "*", 'W/""'])
async def test_etag_that_identifies_nothing(raw: RawDownloadScenario, tag: str) -> None:
    """A new object with the same length and the same invalid ETag is received from its first byte."""
    headers: Headers = {**NO_HASH, **NO_VALIDATORS, "ETag": tag}
    raw.set_headers(headers)
    raw.respond_with(truncated_response(AFTER))
    raw.versions["csv"].append(OTHER)
    replacement = StoredObject.of(OTHER).with_headers(headers)
    raw.always_respond_with(lambda request, _: correct_response(request, replacement))
    assert not (await raw.download()).resumed


@pytest.mark.one_connection
async def test_other_bytes_with_same_etag(raw: RawDownloadScenario) -> None:
    """The hash of the complete file reveals the mixture, and the object is downloaded from zero."""
    raw.respond_with(truncated_response(AFTER, headers=SAME), _continue_with(raw, OTHER, SAME))
    file = await raw.download()
    assert (file.attempts, file.verified) == (3, "checksum")


@pytest.mark.one_connection
async def test_other_bytes_with_same_etag_always(raw: RawDownloadScenario) -> None:
    """After one repetition the download fails, and the mixture is never published."""
    for content in (OTHER, OTHER[::-1]):
        raw.respond_with(truncated_response(AFTER, headers=SAME), _continue_with(raw, content, SAME))
    await raw.download_error(ChecksumError)


async def test_etag_that_looks_like_hash(raw: RawDownloadScenario) -> None:
    """An ETag is not used as a hash of the content."""
    raw.set_headers({"ETag": f'"{"0" * 32}"', **NO_HASH})
    assert (await raw.download()).verified == "length"


async def test_206_with_hash(raw: RawDownloadScenario) -> None:
    """A hash in a partial response may be the hash of the part, so it is ignored."""
    part_hash = StoredObject.of(raw.content[AFTER:]).headers["x-goog-hash"]
    raw.respond_with(truncated_response(AFTER), partial_response(AFTER, headers={"x-goog-hash": part_hash}))
    file = await raw.download()
    assert (file.resumed, file.verified) == (True, "checksum")


@pytest.mark.one_connection
async def test_etag_with_special_characters(raw: RawDownloadScenario) -> None:
    """`If-Range` contains the ETag exactly as received."""
    raw.set_headers({"ETag": "\"a:b%2F,; 'x'\""})
    raw.respond_with(truncated_response(AFTER))
    assert (await raw.download()).resumed
    assert raw.storage.requests[1].headers["If-Range"] == "\"a:b%2F,; 'x'\""


def _replace_object(raw: RawDownloadScenario, content: bytes, size: int | None = None) -> Responder:
    """Replace the object, then respond with the new one, truncated to `size` bytes."""

    def respond(request: Request, _: StoredObject) -> ServerAction:
        raw.replace_object(content, version=len(raw.versions["csv"]) + 1)
        return (altered_response() if size is None else truncated_response(size))(request, raw.storage.stored)

    return respond


def _continue_with(raw: RawDownloadScenario, content: bytes, headers: Headers = NO_HEADERS) -> Responder:
    """Replace the object, then send the bytes of the new one from the requested offset on."""

    def respond(request: Request, _: StoredObject) -> ServerAction:
        raw.replace_object(content, version=len(raw.versions["csv"]) + 1)
        return partial_response(AFTER, headers=headers)(request, raw.storage.stored)

    return respond
