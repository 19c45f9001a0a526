"""A Parquet file: row groups, metadata, and its partial file."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from packagex_async._arrow.csv_decoder import CsvArrowDecoder
from packagex_async._parquet.parquet_file import ParquetFile
from packagex_async._partials import file_output
from packagex_async._partials.file_output import FileOutput
from packagex_async.errors import MalformedRowError
from packagex_async.models import Artifact


def new_file(folder: Path) -> ParquetFile:
    file = ParquetFile(FileOutput(folder / "a.parquet", folder), CsvArrowDecoder({}), "exp_1", Artifact.CSV)
    file.create()
    return file


@pytest.mark.parametrize("durable", [False, True])
def test_row_groups(tmp_path: Path, durable: bool) -> None:
    """Each row group has the record batches that one call of `take_batches` has returned."""
    file = new_file(tmp_path)
    rows = b"".join(b"%d\n" % number for number in range(300_000))
    file.feed(b"id\n" + rows)
    assert file.buffered > 0
    batches = file.take_batches()
    assert (file.buffered, file.encoding > 0) == (0, True)
    file.write_group(batches)
    file.feed(b"last\n")
    file.finish()
    file.write_group(file.take_batches())
    digest = file.publish({"a": "b"}, overwrite=False, durable=durable)
    content = (tmp_path / "a.parquet").read_bytes()
    assert (digest.size, digest.digests) == (len(content), {"sha256": hashlib.sha256(content).digest()})
    metadata = pq.read_metadata(tmp_path / "a.parquet")
    assert [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)] == [300_000, 1]
    assert metadata.metadata[b"a"] == b"b"
    assert (file.rows, file.source_size) == (300_001, len(rows) + 8)
    assert file.source_sha256 == hashlib.sha256(b"id\n" + rows + b"last\n").hexdigest()
    file.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_malformed_row(tmp_path: Path) -> None:
    """`discard` removes the file after a malformed row."""
    file = new_file(tmp_path)
    file.feed(b"id\n1,2\n")
    with pytest.raises(MalformedRowError, match="row 1: it has 2 cells"):
        file.finish()
    file.discard()
    file.discard()
    assert list(tmp_path.iterdir()) == []


def test_file_that_is_discarded(tmp_path: Path) -> None:
    """The writer of a discarded file does not write to a descriptor that may belong to another file."""
    file = new_file(tmp_path)
    file.feed(b"id\n1\n")
    file.finish()
    file.write_group(file.take_batches())
    file.discard()
    assert list(tmp_path.iterdir()) == []


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the operating system is raised, and no file is left."""

    def refuse(_file: int, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    file = new_file(tmp_path)
    file.feed(b"id\n1\n")
    file.finish()
    monkeypatch.setattr(file_output, "write_all", refuse)
    with pytest.raises(OSError, match="No space left"):
        file.write_group(file.take_batches())
    file.discard()
    assert list(tmp_path.iterdir()) == []
