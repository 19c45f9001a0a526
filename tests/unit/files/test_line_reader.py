"""Lines of any length are read in bounded memory."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import attrs
import pytest

from packagex_async._files.line_reader import MAX_LINE_SIZE, LineBlock, LineReader, read_blocks
from packagex_async._sync import manifest as manifest_module
from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async._sync.manifest_entry import MIN_LINE_SIZE, ManifestEntry
from tests.unit.sync.manifests import ENTRY, MISSING, find, open_manifest


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_very_long_line_is_skipped(tmp_path: Path, end: bytes) -> None:
    """This needs bounded memory. The lines before and after it are read."""
    huge = b'{"export_id":"' + b"x" * (9 * MAX_LINE_SIZE) + b'"}'
    (tmp_path / MANIFEST_NAME).write_bytes(MISSING.dump() + huge + b"\n" + ENTRY.dump() + huge + end)
    tracemalloc.start()
    try:
        with open_manifest(tmp_path) as manifest:
            assert manifest.find("exp_1", ("json", "csv")) == {"json": MISSING, "csv": ENTRY}
        assert tracemalloc.get_traced_memory()[1] < 8 * MAX_LINE_SIZE
    finally:
        tracemalloc.stop()
    assert (tmp_path / MANIFEST_NAME).read_bytes().endswith(huge + b"\n")


@pytest.mark.parametrize("cut", [1, 2])
def test_longest_line(tmp_path: Path, cut: int) -> None:
    """LineBlock boundaries have no effect on the limit."""
    empty = len(attrs.evolve(ENTRY, export_id="").dump()) - 1
    for length, is_read in ((MAX_LINE_SIZE, True), (MAX_LINE_SIZE + 1, False)):
        line = attrs.evolve(ENTRY, export_id="x" * (length - empty))
        other = b"x" * (MAX_LINE_SIZE // cut) + b"\n"
        (tmp_path / MANIFEST_NAME).write_bytes(other + line.dump() + ENTRY.dump())
        assert (find(tmp_path, line.export_id) == {"csv": line}) == is_read
        assert find(tmp_path) == {"csv": ENTRY}


@pytest.mark.parametrize("short_line", [b"\n", b"{\n", b"{}\n", b"\r\n", b"x" * (MIN_LINE_SIZE - 1) + b"\n"])
def test_short_lines_are_skipped_in_blocks(tmp_path: Path, short_line: bytes) -> None:
    """No entry is that short. Millions of such lines stay in the file."""
    short_lines = short_line * (3_000_000 // len(short_line))
    content = short_lines + MISSING.dump() + short_lines + ENTRY.dump() + short_lines
    (tmp_path / MANIFEST_NAME).write_bytes(content)
    with FileIO(tmp_path / MANIFEST_NAME, "rb") as file:
        blocks = list(read_blocks(file, 0))
    assert len(blocks) < 100
    assert blocks[-1].end == len(content)
    assert find(tmp_path) == {"json": MISSING, "csv": ENTRY}
    assert (tmp_path / MANIFEST_NAME).read_bytes() == content


def test_shortest_entry_is_read(tmp_path: Path) -> None:
    """It is longer than the lines that are skipped."""
    shortest = ManifestEntry(export_id="", artifact="", when="", updated_at=None)
    assert len(shortest.dump()) > MIN_LINE_SIZE
    (tmp_path / MANIFEST_NAME).write_bytes(shortest.dump())
    with open_manifest(tmp_path) as manifest:
        assert manifest.find("", ("",)) == {"": shortest}


def test_incomplete_line_after_short_lines_is_removed(tmp_path: Path) -> None:
    """The short lines before it stay."""
    (tmp_path / MANIFEST_NAME).write_bytes(b"\nx\n" + ENTRY.dump()[:30])
    with open_manifest(tmp_path) as manifest:
        manifest.append([ENTRY])
    assert (tmp_path / MANIFEST_NAME).read_bytes() == b"\nx\n" + ENTRY.dump()


def test_unchanged_incomplete_line_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Further lookups do not read it again."""
    positions: list[int] = []
    (tmp_path / MANIFEST_NAME).write_bytes(ENTRY.dump())
    with open_manifest(tmp_path) as one:
        one.find("exp_1", ("csv",))
        with (tmp_path / MANIFEST_NAME).open("ab") as file:
            file.write(b"x" * 5000)
        real = read_blocks

        def count(file: FileIO, position: int) -> Iterator[LineBlock]:
            positions.append(position)
            return real(file, position)

        monkeypatch.setattr(manifest_module, "read_blocks", count)
        for _ in range(9):
            assert one.find("exp_1", ("csv",)) == {"csv": ENTRY}
    assert positions == [len(ENTRY.dump())]


def test_lines_in_any_order(tmp_path: Path) -> None:
    """Lines before, within and after the part in memory are read, and lines that were appended later."""
    lines = [b"%d:" % number + b"x" * (number % 7 * 5000) for number in range(40)]
    lines.append(b"y" * (MAX_LINE_SIZE + 300_000))
    path = tmp_path / "lines"
    path.write_bytes(b"".join(line + b"\n" for line in lines[:20]))
    positions = [sum(len(line) + 1 for line in lines[:number]) for number in range(len(lines))]
    reader = LineReader()
    with FileIO(path, "rb") as file:
        assert [reader.read(file, position) for position in positions[:20]] == lines[:20]
        with path.open("ab") as end:
            end.write(b"".join(line + b"\n" for line in lines[20:]))
        for number in random.Random(1).choices(range(40), k=200):
            assert reader.read(file, positions[number]) == lines[number]
        cut = reader.read(file, positions[40])
        assert len(cut) > MAX_LINE_SIZE
        assert lines[40].startswith(cut)
