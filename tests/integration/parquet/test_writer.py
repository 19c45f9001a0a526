"""The async writer of Parquet files: row groups, and failures."""

from __future__ import annotations

import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from packagex_async._arrow.csv_decoder import CsvArrowDecoder
from packagex_async._files.disk_errors import DiskError
from packagex_async._files.executor import FileExecutor
from packagex_async._parquet import resources
from packagex_async._parquet.parquet_file import ParquetFile
from packagex_async._parquet.resources import Resources
from packagex_async._parquet.writer import ParquetWriter
from packagex_async._partials.file_output import FileOutput
from packagex_async._partials.targets import FileTarget
from packagex_async.errors import MalformedRowError
from packagex_async.models import Artifact


def new_file(target: Path) -> ParquetFile:
    return ParquetFile(FileOutput(target, target.parent), CsvArrowDecoder({}), "exp_1", Artifact.CSV)


def new_writer(target: Path, resources: Resources | None = None) -> ParquetWriter:
    file_target = FileTarget(target, target.parent, FileExecutor())
    return ParquetWriter(file_target, new_file(target), resources or Resources())


@pytest.mark.parametrize(("group", "memory"), [(4_000_000, 5_000_000), (4_000_000, 100_000), (1, 1)])
async def test_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int, memory: int) -> None:
    """A row group is written when its size is reached, or when the memory is used up."""
    monkeypatch.setattr(resources, "ROW_GROUP_SIZE", group)
    monkeypatch.setattr(resources, "MAX_MEMORY", memory)
    target = tmp_path / "a.parquet"
    chunk = b"".join(b"%d,%s\n" % (number, b"x" * 100) for number in range(5_000))
    async with new_writer(target) as writer:
        await writer.write(b"id,text\n")
        for _ in range(20):
            await writer.write(chunk)
        await writer.publish(dict, overwrite=False, durable=False)
    metadata = pq.read_metadata(target)
    assert metadata.num_rows == 100_000
    assert metadata.num_row_groups > 1
    assert pq.read_table(target)["id"].to_pylist() == [str(number) for number in range(5_000)] * 20


async def test_last_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last row group of a file with several row groups is small."""
    monkeypatch.setattr(resources, "ROW_GROUP_SIZE", 8_000_000)
    monkeypatch.setattr(resources, "LAST_GROUP_SIZE", 1_000_000)
    target = tmp_path / "a.parquet"
    chunk = b"".join(b"%d,%s\n" % (number, b"x" * 200) for number in range(5_000))
    shared = Resources()
    # A second file that uses all the memory: each call of `write` waits until the last row group is encoded.
    other = new_file(tmp_path / "b.parquet")
    other.buffered = resources.MAX_MEMORY
    shared.add(other)
    async with new_writer(target, shared) as writer:
        await writer.write(b"id,text\n")
        for remaining in reversed(range(16)):
            await writer.write(chunk, remaining * len(chunk))
        await writer.publish(dict, overwrite=False, durable=False)
    shared.remove(other)
    metadata = pq.read_metadata(target)
    rows = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
    assert sum(rows) == 80_000
    assert rows[0] > 2 * rows[-1]


async def test_malformed_row(tmp_path: Path) -> None:
    """A malformed row leaves no file."""
    with pytest.raises(MalformedRowError):
        async with new_writer(tmp_path / "a.parquet") as writer:
            await writer.write(b"id\n1,2\n")
            await writer.publish(dict, overwrite=False, durable=False)
    assert list(tmp_path.iterdir()) == []


async def test_directory_that_is_a_file(tmp_path: Path) -> None:
    """The destination is checked while the first rows are parsed."""
    (tmp_path / "folder").write_text("a file")
    async with new_writer(tmp_path / "folder" / "a.parquet") as writer:
        with pytest.raises(DiskError):
            while True:
                await writer.write(b"id\n")


async def test_existing_file(tmp_path: Path) -> None:
    """A different file at the target is not replaced."""
    target = tmp_path / "a.parquet"
    target.write_text("other")
    with pytest.raises(DiskError):
        async with new_writer(target) as writer:
            await writer.publish(dict, overwrite=False, durable=False)
    assert target.read_text() == "other"
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


async def test_threads_of_a_failed_file(tmp_path: Path) -> None:
    """They end although the error refers to the writer."""
    with pytest.raises(MalformedRowError) as caught:
        async with new_writer(tmp_path / "a.parquet") as writer:
            await writer.write(b"id\n1,2\n")
            await writer.publish(dict, overwrite=False, durable=False)
    for thread in threading.enumerate():
        if thread.name.startswith(("packagex-parse", "packagex-encode")):
            thread.join(timeout=120)
            assert not thread.is_alive()
    assert caught.value.row == 1
