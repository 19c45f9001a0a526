"""A partial file is written in any order, hashed, and moved to its target."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from packagex_async._files.operations import START_SIZE, FileDigest
from packagex_async._partials.partial_file import PartialFile, PositionedChunk
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._utils.decompression import DecompressionError, Decompressor
from tests.support import names

CONTENT = random.Random("partial").randbytes(1000)
MD5 = hashlib.md5(CONTENT).digest()
METADATA: dict[str, Any] = {"length": len(CONTENT), "algorithm": "md5", "hashes": [["md5", MD5.hex()]]}


def partial_file(directory: Path, **options: Any) -> PartialFile:
    return PartialFile(
        target=directory / "a.csv", root=directory, algorithms=("md5",), length=len(CONTENT), **options
    )


def chunks(*ranges: tuple[int, int]) -> list[PositionedChunk]:
    return [(start, CONTENT[start:end]) for start, end in ranges]


def publish(partial: PartialFile, rest: Sequence[PositionedChunk] = ()) -> FileDigest:
    digest, size = partial.publish(rest, lambda digest: digest.size, overwrite=False, durable=False)
    assert size == digest.size
    return digest


@pytest.mark.parametrize(
    "ranges",
    [
        [(0, 1000)],
        [(0, 400), (400, 1000)],
        [(400, 1000), (0, 400)],
        [(600, 700), (0, 600), (700, 1000)],
        [(0, 100), (900, 1000), (100, 900)],
    ],
)
def test_chunks_are_written_and_hashed_in_any_order(tmp_path: Path, ranges: list[tuple[int, int]]) -> None:
    """The digest is that of the complete file."""
    partial = partial_file(tmp_path)
    for part in ranges[:-1]:
        partial.write(chunks(part))
    digest = publish(partial, chunks(ranges[-1]))
    assert digest.digests == {"md5": MD5}
    assert digest.start == CONTENT[:START_SIZE]
    assert (tmp_path / "a.csv").read_bytes() == CONTENT
    assert names(tmp_path) == ["a.csv"]


def test_only_the_chunks_of_a_whole_file_are_whole(tmp_path: Path) -> None:
    """They start at 0, follow each other, are not compressed, and nothing was written before."""
    partial = partial_file(tmp_path)
    assert partial.is_whole(chunks((0, 400), (400, 1000)))
    assert not partial.is_whole(chunks((400, 1000)))
    assert not partial_file(tmp_path, decompressor=Decompressor("gzip")).is_whole(chunks((0, 1000)))
    partial.write(chunks((0, 400)))
    assert not partial.is_whole(chunks((400, 1000)))
    partial.remove()
    assert names(tmp_path) == []


def test_compressed_chunks_are_decompressed(tmp_path: Path) -> None:
    """The digests of the body as transferred are computed, too."""
    body = gzip.compress(CONTENT)
    digest = publish(partial_file(tmp_path, decompressor=Decompressor("gzip")), [(0, body)])
    assert digest.for_algorithm("md5") == {MD5, hashlib.md5(body).digest()}
    assert digest.for_algorithm("crc32c") == set()
    assert (tmp_path / "a.csv").read_bytes() == CONTENT


def test_truncated_compressed_data_is_not_published(tmp_path: Path) -> None:
    """The partial file can be removed afterwards."""
    partial = partial_file(tmp_path, decompressor=Decompressor("gzip"))
    with pytest.raises(DecompressionError, match="truncated"):
        publish(partial, [(0, gzip.compress(CONTENT)[:-1])])
    partial.remove()
    assert names(tmp_path) == []


def test_a_suspended_file_is_resumed_with_its_gaps(tmp_path: Path) -> None:
    """The bytes of the earlier run are hashed when the file is published."""
    partial = partial_file(tmp_path, metadata=METADATA)
    partial.write(chunks((0, 100)))
    partial.suspend(chunks((500, 600)))
    resumed = PartialFile.resume(tmp_path / "a.csv", tmp_path, PartialIndex(), ("sha256",))
    assert resumed is not None
    assert resumed.gaps() == [(100, 500), (600, 1000)]
    resumed.write(chunks((600, 1000)))
    digest = publish(resumed, chunks((100, 500)))
    assert digest.digests == {"md5": MD5, "sha256": hashlib.sha256(CONTENT).digest()}
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("hashes", [None, "md5", [["md5"]], [["blake9", "00"]]])
def test_a_file_with_an_unknown_hash_is_not_resumed(tmp_path: Path, hashes: object) -> None:
    """It is removed, because nothing can verify it."""
    partial = partial_file(tmp_path, metadata=METADATA)
    partial.suspend(chunks((0, 100)))
    (path,) = tmp_path.glob(".*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"hashes": hashes}))
    assert PartialFile.resume(tmp_path / "a.csv", tmp_path, PartialIndex(), ()) is None
    assert names(tmp_path) == []


def test_a_durable_file_is_flushed_before_and_its_directory_after_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power failure cannot leave an incomplete file at the target."""
    steps: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(file: int) -> None:
        steps.append("directory" if os.path.isdir(f"/proc/self/fd/{file}") else "file")
        real_fsync(file)

    def replace(*paths: Path) -> None:
        steps.append("rename")
        real_replace(*paths)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    partial = partial_file(tmp_path)
    partial.publish(chunks((0, 1000)), lambda _: None, overwrite=False, durable=True)
    assert steps == ["file", "rename", "directory"]


def test_without_its_metadata_a_file_is_not_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later run could not resume it."""

    def fail(*_: object) -> None:
        raise OSError(errno.EDQUOT, "quota")

    monkeypatch.setattr(Path, "replace", fail)
    partial = partial_file(tmp_path, metadata=METADATA)
    with pytest.raises(OSError, match="quota"):
        partial.write(chunks((0, 100)))
    assert not partial.exists
    assert names(tmp_path) == []
