"""File objects that read ranges of an object."""

from __future__ import annotations

import io

from packagex_async._buckets.object_reader import open_reader

CONTENT = bytes(range(256)) * 4096


def test_sequential_reads_get_each_byte_once() -> None:
    """A small read requests a whole buffer."""
    ranges: list[tuple[int, int]] = []

    def read_range(start: int, end: int) -> bytes:
        ranges.append((start, end))
        return CONTENT[start:end]

    with open_reader(read_range, len(CONTENT)) as file:
        assert b"".join(iter(lambda: file.read(1000), b"")) == CONTENT
    starts, ends = zip(*ranges, strict=True)
    assert starts == (0, *ends[:-1])
    assert ends[-1] == len(CONTENT)
    assert len(ranges) < 10


def test_any_position() -> None:
    """Positions count from the start, from the current position, and from the end."""
    with open_reader(lambda start, end: CONTENT[start:end], len(CONTENT)) as file:
        assert file.seek(-10, io.SEEK_END) == len(CONTENT) - 10
        assert file.read() == CONTENT[-10:]
        assert file.seek(500_000) == 500_000
        assert file.seek(3, io.SEEK_CUR) == file.tell() == 500_003
        assert file.read(5) == CONTENT[500_003:500_008]


def test_position_after_the_end() -> None:
    """Nothing is read, and no range is requested."""

    def read_range(start: int, end: int) -> bytes:
        raise AssertionError(start, end)

    with open_reader(read_range, 10) as file:
        file.seek(10)
        assert file.read() == b""
        file.seek(11)
        assert file.read(1) == b""
