"""The manifest of a folder: one line for each artifact that was brought there, and only ever appended to.

Its index holds where in the file the last good line of an artifact stands, not what it says, so that hundreds
of thousands of lines take few bytes each. Lines of others are passed over and left as they are. Other
processes may append to the same file: their lines are read when they are there.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from io import FileIO
from pathlib import Path

from packagex_async._files.locks import STALE_AFTER, LockResult, try_lock
from packagex_async._files.operations import sync_directory
from packagex_async._files.paths import is_recent, make_directories, open_regular
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async._sync.manifest_reader import line_at, read_lines

NAME = "packagex-manifest.jsonl"

_OPENING = b'{"export_id"'
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
        self._size = 0
        self._tail: bytes | None = None

    def find(self, export_id: str, artifacts: Iterable[str]) -> dict[str, ManifestEntry]:
        """The last good line of each artifact of the export that has one.

        Raises:
            OSError: The manifest cannot be read.
        """
        with self._lock:
            file = self._opened()
            self._catch_up(file)
            return dict(self._lines(file, export_id, artifacts))

    def append(self, lines: Iterable[ManifestEntry]) -> None:
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
            make_directories(self.path.parent, self.path.parent)
            _remove_old_claim(self.path)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
            self._file = FileIO(open_regular(self.path, flags), "a+b")
            self._catch_up(self._file)
            if self._is_torn(self._file):
                self._repair(self._file)
            # Nobody else repairs it while this one may be writing.
            try_lock(self._file.fileno(), shared=True)
            if self._durable:
                sync_directory(self.path.parent)
        return self._file

    def _repair(self, file: FileIO) -> None:
        """Remove a line that a process has died over; whatever else has no end is given one."""
        lock = try_lock(file.fileno())
        if lock is LockResult.HELD:
            return
        self._catch_up(file)
        if lock is LockResult.ACQUIRED and _is_beginning(self._tail):
            file.truncate(self._end)
        else:
            _write(file, b"\n")

    def _write_lines(self, file: FileIO, texts: Sequence[tuple[ManifestEntry, bytes]]) -> None:
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
        self._size = self._end

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
        size = file.seek(0, os.SEEK_END)
        if size == self._size:
            return
        self._size, self._tail = size, b""
        for raw in read_lines(file, self._end):
            if not raw.is_complete:
                self._tail = raw.text
                break
            if raw.text is not None and (line := ManifestEntry.parse(raw.text)) is not None:
                self._places[_key(line.export_id, line.artifact)] = raw.position
            self._end = raw.end

    def _lines(
        self, file: FileIO, export_id: str, artifacts: Iterable[str]
    ) -> Iterator[tuple[str, ManifestEntry]]:
        for artifact in artifacts:
            place = self._places.get(_key(export_id, artifact))
            if place is None:
                continue
            line = ManifestEntry.parse(line_at(file, place))
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


def _remove_old_claim(path: Path) -> None:
    """Remove what an earlier version has left in place of a lock."""
    claim = path.with_name(f"{path.name}.claim")
    if not is_recent(claim, STALE_AFTER):
        with contextlib.suppress(OSError):
            claim.unlink(missing_ok=True)


def _is_beginning(tail: bytes | None) -> bool:
    """Whether `tail`, with the zeros that a power cut leaves, is the beginning of a line of ours."""
    if tail is None:
        return False
    text = tail.strip(b"\0")
    return text.startswith(_OPENING[: len(text)]) and not _is_json(text)


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
