"""Integrity: the file is what the host vouches for, decoded where it came encoded; the report says how."""

from __future__ import annotations

import gzip
import zlib

import pytest

from packagex_async import ChecksumError, StorageError
from packagex_async.testing import Encoded, Transcoded
from packagex_async.testing.data.blobs import goog_hash, md5
from tests.faults.host import Ending, Play
from tests.faults.plays import CHUNKED, NO_HASH, Headers, but, chunks, cut
from tests.faults.trial import Raw, Trial

AFTER = 30_000


@pytest.mark.one_connection
async def test_a_wrong_md5(raw: Raw) -> None:
    """Refetched once from zero, then it is an error, and nothing is published."""
    raw.tells({"x-goog-hash": f"md5={md5(b'other')}"})
    await raw.fails(ChecksumError)
    assert raw.host.ranges == [None, None]


async def test_a_wrong_crc32c(raw: Raw) -> None:
    """The same for Google's other hash, where it can be computed."""
    pytest.importorskip("google_crc32c")
    raw.tells({"x-goog-hash": "crc32c=AAAAAA=="})
    await raw.fails(ChecksumError)


async def test_a_wrong_content_md5(raw: Raw) -> None:
    """The same for the hash in HTTP's own header."""
    raw.tells({**NO_HASH, "Content-MD5": md5(b"other")})
    await raw.fails(ChecksumError)


async def test_a_hash_that_is_wrong_once(raw: Raw) -> None:
    """What is fetched again and matches stands."""
    raw.plays(but(headers={"x-goog-hash": goog_hash(b"other")}))
    file = await raw.arrives()
    assert (file.attempts, file.verified) == (2, "checksum")


@pytest.mark.one_connection
async def test_a_bit_that_has_flipped(raw: Raw) -> None:
    """One wrong bit in the middle is found by the hash."""
    flipped = bytearray(raw.content)
    flipped[AFTER] ^= 1
    raw.plays(but(body=bytes(flipped)))
    assert (await raw.arrives()).attempts == 2


async def test_a_wrong_hash_leaves_the_old_file(raw: Raw) -> None:
    """Overwriting fails before it begins."""
    raw.path().write_bytes(b"old")
    raw.tells({"x-goog-hash": f"md5={md5(b'other')}"})
    await raw.fails(ChecksumError, overwrite=True)
    assert raw.path().read_bytes() == b"old"


@pytest.mark.parametrize("told", ["md5=!!!", "md5=", "md5=AAAA", "crc32c", ",,", "sha0=AAAAAA=="])
async def test_a_hash_of_no_sense(raw: Raw, told: str) -> None:
    """It vouches for nothing, and the report does not say that it did."""
    raw.tells({"x-goog-hash": told})
    assert (await raw.arrives()).verified == "length"


async def test_two_hashes_in_two_spellings(raw: Raw) -> None:
    """Spaces and order in `x-goog-hash` mean nothing."""
    raw.tells({"x-goog-hash": f" md5={md5(raw.content)} ,sha0=x"})
    assert (await raw.arrives()).verified == "checksum"


async def test_stored_gzip_that_arrives_decompressed(trial: Trial) -> None:
    """The hash covers what is stored, and does not condemn what came."""
    trial.server.inject(Transcoded())
    file = await trial.arrives()
    assert (file.attempts, file.verified) == (1, "none")


async def test_gzip_that_nobody_asked_for(trial: Trial) -> None:
    """It is decoded on the way; length and hash, which are those of the gzip, are checked on it."""
    trial.server.inject(Encoded())
    file = await trial.arrives()
    assert (file.attempts, file.verified) == (1, "checksum")


async def test_gzip_in_several_members(raw: Raw) -> None:
    """Each is decoded, one behind the other."""
    raw.plays(_encoded(gzip.compress(raw.content[:AFTER]) + gzip.compress(raw.content[AFTER:])))
    await raw.arrives()


async def test_deflate_that_nobody_asked_for(raw: Raw) -> None:
    """As gzip is, with or without a length."""
    zipped = zlib.compress(raw.content)
    raw.plays(but(headers={**CHUNKED, **NO_HASH, "Content-Encoding": "deflate"}, body=chunks(zipped)))
    await raw.arrives()


@pytest.mark.one_connection
async def test_gzip_that_is_cut(raw: Raw) -> None:
    """It is fetched anew: an encoded body is not resumed."""
    raw.plays(_encoded(gzip.compress(raw.content), after=AFTER))
    await raw.arrives()
    assert raw.host.ranges == [None, None]


async def test_gzip_that_breaks_off_within_its_length(raw: Raw) -> None:
    """All declared bytes came, and they are no whole gzip."""
    raw.always(_encoded(gzip.compress(raw.content)[:AFTER]))
    assert "truncated" in str(await raw.fails(StorageError))


async def test_gzip_that_is_none(raw: Raw) -> None:
    """Plain bytes under a header that says gzip are not the object."""
    raw.always(_encoded(raw.content))
    await raw.fails(StorageError)


async def test_a_gzip_bomb(raw: Raw) -> None:
    """What swells beyond measure is refused while it does."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(70)) + packer.flush()
    raw.always(_encoded(bomb))
    assert "more than 200 times" in str(await raw.fails(StorageError))


async def test_an_encoding_that_nobody_knows(raw: Raw) -> None:
    """Nothing that cannot be decoded is written under the object's name."""
    raw.always(but(headers={"Content-Encoding": "br"}))
    assert "'br'" in str(await raw.fails(StorageError))


async def test_an_encoding_called_identity(raw: Raw) -> None:
    """It is none."""
    raw.tells({"Content-Encoding": "identity"})
    assert (await raw.arrives()).verified == "checksum"


async def test_nothing_declared_where_verification_is_required(raw: Raw) -> None:
    """Bytes that nothing vouches for are an error."""
    raw.always(but(headers={**CHUNKED, **NO_HASH}, body=chunks(raw.content)))
    await raw.fails(StorageError, require_verification=True)


async def test_a_length_where_verification_is_required(raw: Raw) -> None:
    """It is enough."""
    raw.tells(NO_HASH)
    assert (await raw.arrives(require_verification=True)).verified == "length"


async def test_transcoded_bytes_where_verification_is_required(trial: Trial) -> None:
    """A hash of something else is no verification."""
    trial.server.inject(Transcoded(), times=None)
    await trial.fails(StorageError, require_verification=True)


async def test_a_declared_length_above_max_size(raw: Raw) -> None:
    """Refused by the head alone, before a byte of the body is awaited."""
    raw.always(cut(0, Ending.HOLD))
    assert "max_size" in str(await raw.fails(StorageError, max_size=99_999))


async def test_an_undeclared_length_above_max_size(raw: Raw) -> None:
    """Refused where it exceeds it."""
    raw.always(but(headers=CHUNKED, body=chunks(raw.content)))
    assert "max_size" in str(await raw.fails(StorageError, max_size=99_999))


async def test_a_decoded_length_above_max_size(raw: Raw) -> None:
    """What counts is the length of the file, not of the gzip it came in."""
    raw.always(_encoded(gzip.compress(bytes(1_000_000))))
    assert "max_size" in str(await raw.fails(StorageError, max_size=100_000))


async def test_a_length_of_just_max_size(raw: Raw) -> None:
    """It is allowed."""
    await raw.arrives(max_size=len(raw.content))


def _encoded(body: bytes, after: int | None = None) -> Play:
    headers: Headers = {"Content-Encoding": "gzip", "Content-Length": str(len(body)), **NO_HASH}
    return but(headers=headers, body=body, cut=after)
