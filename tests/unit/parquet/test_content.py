"""The hash of a Parquet file in its footer."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from packagex_async._files.operations import open_file
from packagex_async._parquet.content import Content

CONTENT = Content(4, hashlib.sha256(b"rows").hexdigest())


def test_metadata() -> None:
    """It is read back."""
    metadata = {key.encode(): value.encode() for key, value in CONTENT.to_metadata().items()}
    assert Content.from_metadata(metadata) == CONTENT


@pytest.mark.parametrize(
    "metadata",
    [{}, {b"packagex.content_size": b"4"}, {b"packagex.content_size": b"x", b"packagex.content_sha256": b""}],
)
def test_metadata_of_another_program(metadata: dict[bytes, bytes]) -> None:
    """It has no hash."""
    assert Content.from_metadata(metadata) is None


@pytest.mark.parametrize(
    ("data", "expected"), [(b"rows", True), (b"rows and a footer", True), (b"row", False), (b"cows", False)]
)
def test_file(tmp_path: Path, data: bytes, expected: bool) -> None:
    """Only the bytes before the footer count."""
    path = tmp_path / "a.parquet"
    path.write_bytes(data)
    assert CONTENT.is_in(lambda: open_file(path)) is expected
