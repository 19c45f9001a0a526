"""The hashes a file can be checked by."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from packagex_async import _digests


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    _digests.crc32c.cache_clear()
    yield
    _digests.crc32c.cache_clear()


def test_every_hash_gives_its_known_value() -> None:
    """The check values of the algorithms' own specifications."""
    for name, known in {
        "crc32c": "e3069283",
        "md5": hashlib.md5(b"123456789").hexdigest(),
        "sha256": hashlib.sha256(b"123456789").hexdigest(),
    }.items():
        digest = _digests.new(name)
        digest.update(b"1234")
        digest.update(b"56789")
        assert digest.digest().hex() == known
        assert _digests.available(name)
    assert not _digests.available("sha1")


@pytest.mark.parametrize("library", [None, SimpleNamespace(implementation="python", Checksum=object)])
def test_crc32c_without_its_compiled_library_is_not_available(
    monkeypatch: pytest.MonkeyPatch, library: object
) -> None:
    """Neither missing nor in pure Python would it be a help."""
    monkeypatch.setitem(sys.modules, "google_crc32c", library)
    assert not _digests.available("crc32c")
