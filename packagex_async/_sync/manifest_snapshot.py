"""Read a manifest without changing it. All calls are blocking."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from packagex_async._files.line_reader import read_blocks
from packagex_async._files.paths import open_regular
from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async._sync.manifest_entry import ManifestEntry, entry_key, parse_entries


class ManifestSnapshot:
    """The files that a manifest lists at one moment; only the last entry of each artifact counts.

    An index of a few dozen bytes per artifact holds the positions of the last entries.

    Args:
        directory: The directory.

    Attributes:
        total_size: Sum of the lengths of all files in bytes.

    Raises:
        OSError: The manifest cannot be read.
    """

    def __init__(self, directory: Path) -> None:
        self._last: dict[int, tuple[int, int]] = {}
        self._file = FileIO(open_regular(directory / MANIFEST_NAME, os.O_RDONLY), "rb")
        try:
            self._build_index()
        except BaseException:
            self._file.close()
            raise
        self.total_size = sum(size for _, size in self._last.values())

    def _build_index(self) -> None:
        for position, key, entry in _entries(self._file):
            if entry.path is None:
                self._last.pop(key, None)
            else:
                self._last[key] = position, entry.size or 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def entries(self) -> Iterator[ManifestEntry]:
        """Yield the last entry of each file, in the order of the manifest.

        Raises:
            OSError: The manifest cannot be read.
        """
        for position, key, entry in _entries(self._file):
            if self._last.get(key, (None,))[0] == position:
                yield entry


def _entries(file: FileIO) -> Iterator[tuple[int, int, ManifestEntry]]:
    """Yield the valid entries with their positions and their keys."""
    for block in read_blocks(file, 0):
        for start, entry in parse_entries(block.lines or b""):
            key = entry_key(entry.export_id, entry.artifact, entry.format)
            yield block.position + start, key, entry
