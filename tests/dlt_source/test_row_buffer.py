"""Record batches are kept in memory up to a limit, and in a temporary file above it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
import pyarrow as pa

from packagex_async.integrations.dlt import row_buffer
from packagex_async.integrations.dlt.row_buffer import RowBuffer


def batch(*names: str, start: int = 0) -> pa.RecordBatch:
    cells = [str(number) for number in range(start, start + 1000)]
    return pa.RecordBatch.from_pydict(dict.fromkeys(names, cells))


@pytest.mark.parametrize("limit", [0, 10_000, 10**9])
async def test_batches_are_returned_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """All record batches are returned, also if the columns change."""
    monkeypatch.setattr(row_buffer, "MAX_MEMORY", limit)
    added = [batch("a"), batch("a", start=5), batch("a", "b"), batch("a"), batch("c")]
    buffer = RowBuffer(str(tmp_path))
    for each in added:
        await buffer.append(each)
    assert buffer.count == 5000
    assert list(buffer.batches()) == added
    buffer.close()


async def test_empty_buffer(tmp_path: Path) -> None:
    """A buffer without record batches has no rows."""
    buffer = RowBuffer(str(tmp_path))
    assert list(buffer.batches()) == []
    buffer.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
async def test_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary file is in the directory, has no name, and is removed by `close`."""
    monkeypatch.setattr(row_buffer, "MAX_MEMORY", 0)

    def files() -> list[str]:
        links = [Path("/proc/self/fd", number) for number in os.listdir("/proc/self/fd")]
        return [
            str(link.readlink())
            for link in links
            if link.is_symlink() and str(tmp_path) in str(link.readlink())
        ]

    buffer = RowBuffer(str(tmp_path))
    await buffer.append(batch("a"))
    assert len(files()) == 1
    assert list(tmp_path.iterdir()) == []
    buffer.close()
    assert files() == []


async def test_unwritable_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary file that cannot be created is an `OSError`."""
    monkeypatch.setattr(row_buffer, "MAX_MEMORY", 0)
    with pytest.raises(OSError, match="missing"):
        await RowBuffer(str(tmp_path / "missing")).append(batch("a"))
