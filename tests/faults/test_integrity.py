"""Integrity: the file is what the host vouches for, decoded where it came encoded; the report says how."""

from __future__ import annotations

import gzip
import zlib

import pytest

from packagex_async import ChecksumError, StorageError
from packagex_async.testing import Encoded, Transcoded
from packagex_async.testing.data.blobs import goog_hash, md5
from tests.faults.responses import (
    CHUNKED,
    NO_HASH,
    Headers,
    altered_response,
    encode_chunks,
    truncated_response,
)
from tests.faults.scenario import DownloadScenario, RawDownloadScenario
from tests.faults.storage_server import ConnectionEnd, Responder

AFTER = 30_000


@pytest.mark.one_connection
async def test_a_wrong_md5(raw: RawDownloadScenario) -> None:
    """Refetched once from zero, then it is an error, and nothing is published."""
    raw.set_headers({"x-goog-hash": f"md5={md5(b'other')}"})
    await raw.download_error(ChecksumError)
    assert raw.storage.requested_ranges == [None, None]


async def test_a_wrong_crc32c(raw: RawDownloadScenario) -> None:
    """The same for Google's other hash, where it can be computed."""
    pytest.importorskip("google_crc32c")
    raw.set_headers({"x-goog-hash": "crc32c=AAAAAA=="})
    await raw.download_error(ChecksumError)


async def test_a_wrong_content_md5(raw: RawDownloadScenario) -> None:
    """The same for the hash in HTTP's own header."""
    raw.set_headers({**NO_HASH, "Content-MD5": md5(b"other")})
    await raw.download_error(ChecksumError)


async def test_a_hash_that_is_wrong_once(raw: RawDownloadScenario) -> None:
    """What is fetched again and matches stands."""
    raw.respond_with(altered_response(headers={"x-goog-hash": goog_hash(b"other")}))
    file = await raw.download()
    assert (file.attempts, file.verified) == (2, "checksum")


@pytest.mark.one_connection
async def test_a_bit_that_has_flipped(raw: RawDownloadScenario) -> None:
    """One wrong bit in the middle is found by the hash."""
    flipped = bytearray(raw.content)
    flipped[AFTER] ^= 1
    raw.respond_with(altered_response(body=bytes(flipped)))
    assert (await raw.download()).attempts == 2


async def test_a_wrong_hash_leaves_the_old_file(raw: RawDownloadScenario) -> None:
    """Overwriting fails before it begins."""
    raw.path().write_bytes(b"old")
    raw.set_headers({"x-goog-hash": f"md5={md5(b'other')}"})
    await raw.download_error(ChecksumError, overwrite=True)
    assert raw.path().read_bytes() == b"old"


@pytest.mark.parametrize("told", ["md5=!!!", "md5=", "md5=AAAA", "crc32c", ",,", "sha0=AAAAAA=="])
async def test_a_hash_of_no_sense(raw: RawDownloadScenario, told: str) -> None:
    """It vouches for nothing, and the report does not say that it did."""
    raw.set_headers({"x-goog-hash": told})
    assert (await raw.download()).verified == "length"


async def test_two_hashes_in_two_spellings(raw: RawDownloadScenario) -> None:
    """Spaces and order in `x-goog-hash` mean nothing."""
    raw.set_headers({"x-goog-hash": f" md5={md5(raw.content)} ,sha0=x"})
    assert (await raw.download()).verified == "checksum"


async def test_stored_gzip_that_arrives_decompressed(scenario: DownloadScenario) -> None:
    """The hash covers what is stored, and does not condemn what came."""
    scenario.server.inject(Transcoded())
    file = await scenario.download()
    assert (file.attempts, file.verified) == (1, "none")


async def test_gzip_that_nobody_asked_for(scenario: DownloadScenario) -> None:
    """It is decoded on the way; length and hash, which are those of the gzip, are checked on it."""
    scenario.server.inject(Encoded())
    file = await scenario.download()
    assert (file.attempts, file.verified) == (1, "checksum")


async def test_gzip_in_several_members(raw: RawDownloadScenario) -> None:
    """Each is decoded, one behind the other."""
    raw.respond_with(_encoded(gzip.compress(raw.content[:AFTER]) + gzip.compress(raw.content[AFTER:])))
    await raw.download()


async def test_deflate_that_nobody_asked_for(raw: RawDownloadScenario) -> None:
    """As gzip is, with or without a length."""
    zipped = zlib.compress(raw.content)
    raw.respond_with(
        altered_response(
            headers={**CHUNKED, **NO_HASH, "Content-Encoding": "deflate"}, body=encode_chunks(zipped)
        )
    )
    await raw.download()


@pytest.mark.one_connection
async def test_gzip_that_is_cut(raw: RawDownloadScenario) -> None:
    """It is fetched anew: an encoded body is not resumed."""
    raw.respond_with(_encoded(gzip.compress(raw.content), after=AFTER))
    await raw.download()
    assert raw.storage.requested_ranges == [None, None]


async def test_gzip_that_breaks_off_within_its_length(raw: RawDownloadScenario) -> None:
    """All declared bytes came, and they are no whole gzip."""
    raw.always_respond_with(_encoded(gzip.compress(raw.content)[:AFTER]))
    assert "breaks off" in str(await raw.download_error(StorageError))


async def test_gzip_that_is_none(raw: RawDownloadScenario) -> None:
    """Plain bytes under a header that says gzip are not the object."""
    raw.always_respond_with(_encoded(raw.content))
    await raw.download_error(StorageError)


async def test_a_gzip_bomb(raw: RawDownloadScenario) -> None:
    """What swells beyond measure is refused while it does."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(70)) + packer.flush()
    raw.always_respond_with(_encoded(bomb))
    assert "swells" in str(await raw.download_error(StorageError))


async def test_an_encoding_that_nobody_knows(raw: RawDownloadScenario) -> None:
    """Nothing that cannot be decoded is written under the object's name."""
    raw.always_respond_with(altered_response(headers={"Content-Encoding": "br"}))
    assert "'br'" in str(await raw.download_error(StorageError))


async def test_an_encoding_called_identity(raw: RawDownloadScenario) -> None:
    """It is none."""
    raw.set_headers({"Content-Encoding": "identity"})
    assert (await raw.download()).verified == "checksum"


async def test_nothing_declared_where_verification_is_required(raw: RawDownloadScenario) -> None:
    """Bytes that nothing vouches for are an error."""
    raw.always_respond_with(altered_response(headers={**CHUNKED, **NO_HASH}, body=encode_chunks(raw.content)))
    await raw.download_error(StorageError, require_verification=True)


async def test_a_length_where_verification_is_required(raw: RawDownloadScenario) -> None:
    """It is enough."""
    raw.set_headers(NO_HASH)
    assert (await raw.download(require_verification=True)).verified == "length"


async def test_transcoded_bytes_where_verification_is_required(scenario: DownloadScenario) -> None:
    """A hash of something else is no verification."""
    scenario.server.inject(Transcoded(), times=None)
    await scenario.download_error(StorageError, require_verification=True)


async def test_a_declared_length_above_max_size(raw: RawDownloadScenario) -> None:
    """Refused by the head alone, before a byte of the body is awaited."""
    raw.always_respond_with(truncated_response(0, ConnectionEnd.STALL))
    assert "max_size" in str(await raw.download_error(StorageError, max_size=99_999))


async def test_an_undeclared_length_above_max_size(raw: RawDownloadScenario) -> None:
    """Refused where it exceeds it."""
    raw.always_respond_with(altered_response(headers=CHUNKED, body=encode_chunks(raw.content)))
    assert "max_size" in str(await raw.download_error(StorageError, max_size=99_999))


async def test_a_decoded_length_above_max_size(raw: RawDownloadScenario) -> None:
    """What counts is the length of the file, not of the gzip it came in."""
    raw.always_respond_with(_encoded(gzip.compress(bytes(1_000_000))))
    assert "max_size" in str(await raw.download_error(StorageError, max_size=100_000))


async def test_a_length_of_just_max_size(raw: RawDownloadScenario) -> None:
    """It is allowed."""
    await raw.download(max_size=len(raw.content))


def _encoded(body: bytes, after: int | None = None) -> Responder:
    headers: Headers = {"Content-Encoding": "gzip", "Content-Length": str(len(body)), **NO_HASH}
    return altered_response(headers=headers, body=body, truncate_at=after)
