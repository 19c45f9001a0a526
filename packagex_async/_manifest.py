"""The manifest of a folder: one line for each artifact that was brought there, and only ever appended to.

Its index holds where in the file the last good line of an artifact stands, not what it says, so that hundreds
of thousands of lines take few bytes each. Lines of others are passed over and left as they are. Other
processes may append to the same file: their lines are read when they are there.
"""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from io import FileIO
from pathlib import Path

from packagex_async import _keep
from packagex_async._files import BLOCK_SIZE, sync_folder
from packagex_async._manifest_line import Line

NAME = "packagex-manifest.jsonl"

_OPENING = b'{"export_id"'
_LONGEST = 8192
_MOMENT = 0.001


class Manifest:
    """The manifest of one folder, in plain blocking calls for any thread; the first one makes the file.

    Args:
        folder: The folder; made when it is not there.
        durable: Whether lines are on the medium when `append` returns.

    Attributes:
        path: Where the manifest is.
    """

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self.path = folder / NAME
        self._durable = durable
        self._lock = threading.Lock()
        self._file: FileIO | None = None
        self._places: dict[int, int] = {}
        self._end = 0

    def find(self, export_id: str, artifacts: Iterable[str]) -> dict[str, Line]:
        """The last good line of each artifact of the export that has one.

        Raises:
            OSError: The manifest cannot be read.
        """
        with self._lock:
            file = self._opened()
            self._catch_up(file)
            return dict(self._lines(file, export_id, artifacts))

    def append(self, lines: Iterable[Line]) -> None:
        """Add lines, all in one step.

        Raises:
            OSError: The disk refuses.
        """
        texts = [(line, line.dump()) for line in lines]
        with self._lock:
            file = self._opened()
            self._write_lines(file, texts)
            if self._durable:
                os.fsync(file.fileno())

    def close(self) -> None:
        """Let the file go; idempotent."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _opened(self) -> FileIO:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = FileIO(self.path, "a+b")
            self._catch_up(self._file)
            if self._is_torn(self._file):
                self._repair(self._file)
            if self._durable:
                sync_folder(self.path.parent)
        return self._file

    def _repair(self, file: FileIO) -> None:
        """Remove a line that a process has died over; whatever else has no end is given one."""
        if not _keep.take(self.path):
            return
        try:
            self._catch_up(file)
            tail = _read(file, self._end, _LONGEST).strip(b"\0")
            if tail.startswith(_OPENING[: len(tail)]) and not _is_json(tail):
                file.truncate(self._end)
            else:
                _write(file, b"\n")
        finally:
            _keep.release(self.path)

    def _write_lines(self, file: FileIO, texts: Sequence[tuple[Line, bytes]]) -> None:
        """Add lines to the file, and to the index, with whatever others have added since the last time."""
        whole = b"".join(text for _, text in texts)
        place = _write(file, whole)
        if place != self._end:
            # Where a process died in the middle of its line while this one was at work, that took in ours.
            if place and _read(file, place - 1, 1) != b"\n":
                _write(file, whole)
            self._catch_up(file)
            return
        for line, text in texts:
            self._places[_key(line.export_id, line.artifact)] = self._end
            self._end += len(text)

    def _is_torn(self, file: FileIO) -> bool:
        """Whether it ends in the middle of a line."""
        size = file.seek(0, os.SEEK_END)
        # What is indexed ends with a line's end.
        if size == self._end or _read(file, size - 1, 1) == b"\n":
            return False
        # Half of what another process is just writing can be seen: only what stays as it is was left so.
        time.sleep(_MOMENT)
        return file.seek(0, os.SEEK_END) == size

    def _catch_up(self, file: FileIO) -> None:
        """Read the lines that have come since the last time, whoever has written them."""
        if file.seek(0, os.SEEK_END) == self._end:
            return
        file.seek(self._end)
        rest = b""
        while block := file.read(BLOCK_SIZE):
            *lines, rest = (rest + block).split(b"\n")
            for text in lines:
                self._index(text)
                self._end += len(text) + 1

    def _index(self, text: bytes) -> None:
        if len(text) < _LONGEST and (line := Line.parse(text)) is not None:
            self._places[_key(line.export_id, line.artifact)] = self._end

    def _lines(self, file: FileIO, export_id: str, artifacts: Iterable[str]) -> Iterator[tuple[str, Line]]:
        for artifact in artifacts:
            place = self._places.get(_key(export_id, artifact))
            if place is None:
                continue
            line = Line.parse(_read(file, place, _LONGEST).partition(b"\n")[0])
            # Two artifacts may share a hash.
            if line is not None and (line.export_id, line.artifact) == (export_id, artifact):
                yield artifact, line


def _key(export_id: str, artifact: str) -> int:
    # A member of an enumeration has a hash of its own.
    return hash((export_id, str(artifact)))


def _read(file: FileIO, place: int, most: int) -> bytes:
    file.seek(place)
    return file.read(most) or b""


def _write(file: FileIO, text: bytes) -> int:
    """Add `text` to the end of the file; where that was."""
    if file.write(text) != len(text):
        raise OSError(errno.ENOSPC, "no room for another line")
    return file.tell() - len(text)


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
