"""What a manifest says should be in its folder: read as it stands, and not touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from packagex_async._files.paths import open_regular
from packagex_async._sync.manifest import NAME
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async._sync.manifest_reader import read_lines


class Inventory:
    """The files that the manifest of a folder names, in plain blocking calls; the last line of each holds.

    Which line that is stands in an index of a few dozen bytes for each artifact.

    Args:
        folder: The folder.

    Attributes:
        files: How many files there should be.
        size: How many bytes they should have together.

    Raises:
        OSError: The manifest cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._last: dict[int, tuple[int, int]] = {}
        self._file = FileIO(open_regular(folder / NAME, os.O_RDONLY), "rb")
        try:
            self._index()
        except BaseException:
            self._file.close()
            raise
        self.files = len(self._last)
        self.size = sum(size for _, size in self._last.values())

    def _index(self) -> None:
        for place, line in _good_lines(self._file):
            if line.path is None:
                self._last.pop(_key(line), None)
            else:
                self._last[_key(line)] = place, line.size or 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def lines(self) -> Iterator[ManifestEntry]:
        """The line of each file, as they stand in the manifest.

        Raises:
            OSError: The manifest cannot be read.
        """
        for place, line in _good_lines(self._file):
            if self._last.get(_key(line), (None,))[0] == place:
                yield line


def _key(line: ManifestEntry) -> int:
    return hash((line.export_id, line.artifact))


def _good_lines(file: FileIO) -> Iterator[tuple[int, ManifestEntry]]:
    for raw in read_lines(file, 0):
        if raw.text is not None and (line := ManifestEntry.parse(raw.text)) is not None:
            yield raw.position, line
