"""Integrity: the decoded file matches the declared length and hashes; the report states what was verified."""

from __future__ import annotations

import functools
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
async def test_wrong_md5(raw: RawDownloadScenario) -> None:
    """The object is downloaded once more from zero; then the artifact fails, and nothing is published."""
    raw.set_headers({"x-goog-hash": f"md5={md5(b'other')}"})
    await raw.download_error(ChecksumError)
    assert raw.storage.requested_ranges == [None, None]


async def test_wrong_crc32c(raw: RawDownloadScenario) -> None:
    """The crc32c in `x-goog-hash` is checked if it can be computed."""
    pytest.importorskip("google_crc32c")
    raw.set_headers({"x-goog-hash": "crc32c=AAAAAA=="})
    await raw.download_error(ChecksumError)


async def test_wrong_content_md5(raw: RawDownloadScenario) -> None:
    """The hash in the `Content-MD5` header is checked."""
    raw.set_headers({**NO_HASH, "Content-MD5": md5(b"other")})
    await raw.download_error(ChecksumError)


async def test_wrong_hash_once(raw: RawDownloadScenario) -> None:
    """The second download matches and is accepted."""
    raw.respond_with(altered_response(headers={"x-goog-hash": goog_hash(b"other")}))
    file = await raw.download()
    assert (file.attempts, file.verified) == (2, "checksum")


@pytest.mark.one_connection
async def test_flipped_bit(raw: RawDownloadScenario) -> None:
    """The hash reveals one wrong bit in the middle of the body."""
    flipped = bytearray(raw.content)
    flipped[AFTER] ^= 1
    raw.respond_with(altered_response(body=bytes(flipped)))
    assert (await raw.download()).attempts == 2


async def test_wrong_hash_keeps_old_file(raw: RawDownloadScenario) -> None:
    """With `overwrite=True`, the old file stays after a hash mismatch."""
    raw.path().write_bytes(b"old")
    raw.set_headers({"x-goog-hash": f"md5={md5(b'other')}"})
    await raw.download_error(ChecksumError, overwrite=True)
    assert raw.path().read_bytes() == b"old"


@pytest.mark.parametrize("header", ["md5=!!!", "md5=", "md5=AAAA", "crc32c", ",,", "sha0=AAAAAA=="])
async def test_invalid_hash(raw: RawDownloadScenario, header: str) -> None:
    """An invalid hash is ignored, and the report states that only the length was verified."""
    raw.set_headers({"x-goog-hash": header})
    assert (await raw.download()).verified == "length"


async def test_hash_header_with_spaces(raw: RawDownloadScenario) -> None:
    """Spaces and unknown algorithms in `x-goog-hash` are ignored."""
    raw.set_headers({"x-goog-hash": f" md5={md5(raw.content)} ,sha0=x"})
    assert (await raw.download()).verified == "checksum"


async def test_transcoded_gzip(scenario: DownloadScenario) -> None:
    """The hash covers the stored gzip and is not compared with the decompressed bytes."""
    scenario.server.inject(Transcoded())
    file = await scenario.download()
    assert (file.attempts, file.verified) == (1, "none")


async def test_unrequested_gzip(scenario: DownloadScenario) -> None:
    """The body is decoded; length and hash are checked on the encoded bytes."""
    scenario.server.inject(Encoded())
    file = await scenario.download()
    assert (file.attempts, file.verified) == (1, "checksum")


async def test_gzip_with_several_members(raw: RawDownloadScenario) -> None:
    """All members are decoded in sequence."""
    raw.respond_with(_gzip_response(gzip.compress(raw.content[:AFTER]) + gzip.compress(raw.content[AFTER:])))
    await raw.download()


async def test_unrequested_deflate(raw: RawDownloadScenario) -> None:
    """The body is decoded, with or without a length."""
    zipped = zlib.compress(raw.content)
    raw.respond_with(
        altered_response(
            headers={**CHUNKED, **NO_HASH, "Content-Encoding": "deflate"}, body=encode_chunks(zipped)
        )
    )
    await raw.download()


@pytest.mark.one_connection
async def test_interrupted_gzip(raw: RawDownloadScenario) -> None:
    """An encoded body is not resumed: the next attempt starts from zero."""
    raw.respond_with(_gzip_response(gzip.compress(raw.content), size=AFTER))
    await raw.download()
    assert raw.storage.requested_ranges == [None, None]


async def test_incomplete_gzip(raw: RawDownloadScenario) -> None:
    """All declared bytes arrived, but the gzip stream is incomplete: the artifact fails."""
    raw.always_respond_with(_gzip_response(gzip.compress(raw.content)[:AFTER]))
    assert "truncated" in str(await raw.download_error(StorageError))


async def test_invalid_gzip(raw: RawDownloadScenario) -> None:
    """Plain bytes with `Content-Encoding: gzip` are refused."""
    raw.always_respond_with(_gzip_response(raw.content))
    await raw.download_error(StorageError)


async def test_gzip_bomb(raw: RawDownloadScenario) -> None:
    """A body that decompresses to an excessive size is refused during decompression."""
    raw.always_respond_with(_gzip_response(_gzip_bomb()))
    assert "more than 200 times" in str(await raw.download_error(StorageError))


async def test_unknown_encoding(raw: RawDownloadScenario) -> None:
    """A body that cannot be decoded is not written."""
    raw.always_respond_with(altered_response(headers={"Content-Encoding": "br"}))
    assert "'br'" in str(await raw.download_error(StorageError))


async def test_identity_encoding(raw: RawDownloadScenario) -> None:
    """`Content-Encoding: identity` means that the body is not encoded."""
    raw.set_headers({"Content-Encoding": "identity"})
    assert (await raw.download()).verified == "checksum"


async def test_required_verification_without_declaration(raw: RawDownloadScenario) -> None:
    """With `require_verification`, a body without a declared length and hash is an error."""
    raw.always_respond_with(altered_response(headers={**CHUNKED, **NO_HASH}, body=encode_chunks(raw.content)))
    await raw.download_error(StorageError, require_verification=True)


async def test_required_verification_with_length(raw: RawDownloadScenario) -> None:
    """A declared length satisfies `require_verification`."""
    raw.set_headers(NO_HASH)
    assert (await raw.download(require_verification=True)).verified == "length"


async def test_required_verification_of_transcoded_body(scenario: DownloadScenario) -> None:
    """A hash of other bytes does not satisfy `require_verification`."""
    scenario.server.inject(Transcoded(), times=None)
    await scenario.download_error(StorageError, require_verification=True)


async def test_declared_length_above_max_size(raw: RawDownloadScenario) -> None:
    """The artifact fails before the body is read."""
    raw.always_respond_with(truncated_response(0, ConnectionEnd.STALL))
    assert "max_size" in str(await raw.download_error(StorageError, max_size=99_999))


async def test_undeclared_length_above_max_size(raw: RawDownloadScenario) -> None:
    """The artifact fails once the limit is exceeded."""
    raw.always_respond_with(altered_response(headers=CHUNKED, body=encode_chunks(raw.content)))
    assert "max_size" in str(await raw.download_error(StorageError, max_size=99_999))


async def test_decoded_length_above_max_size(raw: RawDownloadScenario) -> None:
    """The limit applies to the decoded length."""
    raw.always_respond_with(_gzip_response(gzip.compress(bytes(1_000_000))))
    assert "max_size" in str(await raw.download_error(StorageError, max_size=100_000))


async def test_length_equal_to_max_size(raw: RawDownloadScenario) -> None:
    """An artifact of exactly `max_size` bytes arrives."""
    await raw.download(max_size=len(raw.content))


def _gzip_response(body: bytes, size: int | None = None) -> Responder:
    """Respond with `body` as a gzip-encoded body, truncated to `size` bytes."""
    headers: Headers = {"Content-Encoding": "gzip", "Content-Length": str(len(body)), **NO_HASH}
    return altered_response(headers=headers, body=body, truncate_at=size)


@functools.cache
def _gzip_bomb() -> bytes:
    """Compress 70 MB of zeros."""
    compressor = zlib.compressobj(9, wbits=31)
    return b"".join(compressor.compress(bytes(1_000_000)) for _ in range(70)) + compressor.flush()
