"""The manifest of a directory: an append-only file with one line for each artifact that was downloaded.

Only the positions of the last entries are kept in memory, so that hundreds of thousands of entries need few
bytes each. Lines that are not valid entries are skipped and left unchanged. Other processes may append to the
same file; new lines are read before each access.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from io import FileIO
from pathlib import Path
from types import MappingProxyType

from packagex_async._files.line_reader import LineReader, read_blocks
from packagex_async._files.locks import STALE_AFTER, LockResult, try_lock
from packagex_async._files.operations import sync_directory
from packagex_async._files.paths import is_recent, make_directories, open_regular
from packagex_async._sync.manifest_entry import ManifestEntry, entry_key, entry_keys

MANIFEST_NAME = "packagex-manifest.jsonl"

_NO_FORMATS: Mapping[str, str] = MappingProxyType({})
_ENTRY_PREFIX = b'{"export_id"'
_WRITE_SECONDS = 0.001
"""Seconds in which another process finishes a write that has begun."""


class Manifest:
    """The manifest of one directory. All calls are blocking and thread-safe; the first one creates the file.

    Args:
        directory: The directory; created if it does not exist.
        durable: Call `fsync` after each write.
        read_only: Never create or change the file; `append` must not be called.

    Attributes:
        path: Path of the manifest.
    """

    def __init__(self, directory: Path, *, durable: bool = False, read_only: bool = False) -> None:
        self.path = directory / MANIFEST_NAME
        self._durable = durable
        self._read_only = read_only
        self._lock = threading.Lock()
        self._file: FileIO | None = None
        self._lines = LineReader()
        self._positions: dict[int, int] = {}
        self._indexed_size = 0
        self._file_size = 0
        self._incomplete_line: bytes | None = None

    def find(
        self, export_id: str, artifacts: Iterable[str], formats: Mapping[str, str] = _NO_FORMATS
    ) -> dict[str, ManifestEntry]:
        """Return the last entry of each of the artifacts that have one.

        Args:
            export_id: The id of the export.
            artifacts: The names of the artifacts.
            formats: The formats of artifacts whose converted files are meant (see `ManifestEntry`).

        Raises:
            OSError: The manifest cannot be read.
        """
        return self.find_all([export_id], artifacts, formats)[0]

    def find_all(
        self, export_ids: Iterable[str], artifacts: Iterable[str], formats: Mapping[str, str] = _NO_FORMATS
    ) -> list[dict[str, ManifestEntry]]:
        """Return the result of `find` for each of several exports.

        Raises:
            OSError: The manifest cannot be read.
        """
        names = [(artifact, formats.get(artifact)) for artifact in artifacts]
        with self._lock:
            file = self._open_existing() if self._read_only else self._open()
            if file is None:
                return [{} for _ in export_ids]
            self._update_index(file)
            return [self._find(file, export_id, names) for export_id in export_ids]

    def append(self, entries: Iterable[ManifestEntry]) -> None:
        """Add entries with a single write.

        Raises:
            OSError: The manifest cannot be written.
        """
        lines = [(entry, entry.dump()) for entry in entries]
        with self._lock:
            file = self._open()
            self._append(file, lines)
            if self._durable:
                os.fsync(file.fileno())

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._lines = LineReader()

    def _open(self) -> FileIO:
        if self._file is not None and not _is_same_file(self._file, self.path):
            # The manifest or its directory was removed or replaced while this process uses it.
            self._close()
            self._positions.clear()
            self._indexed_size = self._file_size = 0
        if self._file is None:
            make_directories(self.path.parent, self.path.parent)
            _remove_legacy_lock(self.path)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
            self._file = FileIO(open_regular(self.path, flags), "a+b")
            self._update_index(self._file)
            if self._has_incomplete_line(self._file):
                self._repair(self._file)
            # A shared lock: no other process repairs the file while this one may write.
            try_lock(self._file.fileno(), shared=True)
            if self._durable:
                sync_directory(self.path.parent)
        return self._file

    def _open_existing(self) -> FileIO | None:
        if self._file is None:
            with contextlib.suppress(FileNotFoundError):
                self._file = FileIO(open_regular(self.path, os.O_RDONLY), "rb")
        return self._file

    def _repair(self, file: FileIO) -> None:
        """Remove an incomplete entry of a process that was killed; add a line break to any other text."""
        lock = try_lock(file.fileno())
        if lock is LockResult.HELD:
            return
        self._update_index(file)
        if lock is LockResult.ACQUIRED and _is_incomplete_entry(self._incomplete_line):
            file.truncate(self._indexed_size)
        else:
            _append(file, b"\n")

    def _append(self, file: FileIO, lines: Sequence[tuple[ManifestEntry, bytes]]) -> None:
        """Write lines, and update the index, also with lines of other processes."""
        data = b"".join(line for _, line in lines)
        position = _append(file, data)
        if position != self._indexed_size:
            # If another process was killed in the middle of a line, the first of our lines has become part of
            # it.
            if position and _read_at(file, position - 1, 1) != b"\n":
                _append(file, data)
            self._update_index(file)
            return
        for entry, line in lines:
            self._positions[entry_key(entry.export_id, entry.artifact, entry.format)] = self._indexed_size
            self._indexed_size += len(line)
        self._file_size = self._indexed_size

    def _has_incomplete_line(self, file: FileIO) -> bool:
        size = file.seek(0, os.SEEK_END)
        # The indexed part ends with a line break.
        if size == self._indexed_size or _read_at(file, size - 1, 1) == b"\n":
            return False
        # Another process may be writing the line. If the size does not change, no process is.
        time.sleep(_WRITE_SECONDS)
        return file.seek(0, os.SEEK_END) == size

    def _update_index(self, file: FileIO) -> None:
        """Read the lines that were added since the last call, by any process."""
        size = file.seek(0, os.SEEK_END)
        if size == self._file_size:
            return
        self._file_size, self._incomplete_line = size, b""
        for block in read_blocks(file, self._indexed_size):
            if not block.is_complete:
                self._incomplete_line = block.lines
                break
            if block.lines is not None:
                for start, key in entry_keys(block.lines):
                    self._positions[key] = block.position + start
            self._indexed_size = block.end

    def _find(
        self, file: FileIO, export_id: str, names: Sequence[tuple[str, str | None]]
    ) -> dict[str, ManifestEntry]:
        entries = {}
        for artifact, file_format in names:
            position = self._positions.get(entry_key(export_id, artifact, file_format))
            if position is None:
                continue
            entry = ManifestEntry.parse(self._lines.read(file, position))
            # Different artifacts can have the same key.
            expected = export_id, artifact, file_format
            if entry is not None and (entry.export_id, entry.artifact, entry.format) == expected:
                entries[artifact] = entry
        return entries


def _is_same_file(file: FileIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except OSError:
        return False


def _read_at(file: FileIO, position: int, size: int) -> bytes:
    file.seek(position)
    return file.read(size) or b""


def _append(file: FileIO, data: bytes) -> int:
    """Write `data` at the end of the file; return its position."""
    if file.write(data) != len(data):
        raise OSError(errno.ENOSPC, "no space left for another line")
    return file.tell() - len(data)


def _remove_legacy_lock(path: Path) -> None:
    """Remove the lock file of earlier versions."""
    lock_file = path.with_name(f"{path.name}.claim")
    if not is_recent(lock_file, STALE_AFTER):
        with contextlib.suppress(OSError):
            lock_file.unlink(missing_ok=True)


def _is_incomplete_entry(text: bytes | None) -> bool:
    """Return whether `text` is the beginning of an entry, possibly with zeros after a power failure."""
    if text is None:
        return False
    text = text.strip(b"\0")
    return text.startswith(_ENTRY_PREFIX[: len(text)]) and not _is_json(text)


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
