"""How a file stands to the line that the manifest has of it; in plain blocking calls."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from packagex_async._files.operations import FileDigest, measure, size_of
from packagex_async._files.paths import UnsafePathError
from packagex_async._sync.manifest import NAME
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async._utils.reprs import concise_repr

# No layout makes a name with one of these, and on some system each of them parts names.
_PARTING = "\\:\0"
_MAX_PATH = 4096
"""Characters of the longest path that a system follows."""


class FileState(enum.StrEnum):
    """How a file stands to the manifest of its folder.

    `EXACT`: it has the length and the SHA-256 it came with. `CHANGED`: it has not, or is no regular file.
    `MISSING`: it is not there. `UNREADABLE`: the operating system does not let it be read. `OUTSIDE`: the
    manifest names a path that leads out of the folder; it was not followed. `UNLISTED`: the manifest does not
    name it.
    """

    EXACT = "exact"
    CHANGED = "changed"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    OUTSIDE = "outside"
    UNLISTED = "unlisted"


@attrs.frozen(kw_only=True, repr=False)
class CheckedFile:
    """One file of a folder that was verified.

    Attributes:
        path: Where it is, relative to the folder, with `/` between names.
        state: How it stands to the manifest.
        export_id: Which export it is of; `None` for one that the manifest does not name.
        artifact: Which artifact it is, likewise.
        size: Its length in bytes; `None` where it was not read.
        expected_size: The length in bytes that the manifest tells; `None` for one that it does not name.
    """

    path: str
    state: FileState
    export_id: str | None = None
    artifact: str | None = None
    size: int | None = None
    expected_size: int | None = None

    __repr__ = concise_repr


class Comparison:
    """Compares the files of one folder with lines of its manifest.

    Args:
        folder: The folder.
        heard: Is told how many bytes were read, again and again; what it raises ends the reading.
    """

    def __init__(self, folder: Path, heard: Callable[[int], object]) -> None:
        self._folder = folder
        self._root = os.path.realpath(folder)
        self._heard = heard

    def checked(self, line: ManifestEntry) -> CheckedFile:
        """How the file that `line` names stands to it."""
        path = line.path or ""
        try:
            state, size = self._state(path, line) if self._is_inside(path) else (FileState.OUTSIDE, None)
        except UnicodeEncodeError:
            # No file of this system can have such a name.
            state, size = FileState.MISSING, None
        return CheckedFile(
            path=path,
            state=state,
            export_id=line.export_id,
            artifact=line.artifact,
            size=size,
            expected_size=line.size,
        )

    def unlisted(self, is_listed: Callable[[str], bool]) -> Iterator[CheckedFile]:
        """The files of the folder that are not listed, save the manifest and hidden ones.

        Folders that cannot be read are passed over.
        """
        pending = [""]
        while pending:
            above = pending.pop()
            folders, names = _entries(os.path.join(self._folder, above))
            for name in names:
                if not name.startswith(NAME) and not is_listed(f"{above}{name}"):
                    yield CheckedFile(path=f"{above}{name}", state=FileState.UNLISTED)
            pending += [f"{above}{name}/" for name in reversed(folders)]

    def _is_inside(self, path: str) -> bool:
        if len(path) > _MAX_PATH:
            return False
        if any(name in ("", ".", "..") for name in path.split("/")) or any(mark in path for mark in _PARTING):
            return False
        if "/" not in path or not os.path.lexists(self._folder / path.partition("/")[0]):
            return True
        # A link among the folders above may lead anywhere.
        above = os.path.realpath((self._folder / path).parent)
        return Path(above).is_relative_to(self._root)

    def _state(self, path: str, line: ManifestEntry) -> tuple[FileState, int | None]:
        try:
            size = size_of(self._folder / path)
            if size not in (None, line.size):
                # It is not read: it may have any length.
                self._heard(size or 0)
                return FileState.CHANGED, size
            there = measure(self._folder / path, ("sha256",), self._heard)
        except UnsafePathError:
            return FileState.CHANGED, None
        except OSError:
            return FileState.UNREADABLE, None
        if there is None:
            return FileState.MISSING, None
        return (FileState.EXACT if _is_exact(there, line) else FileState.CHANGED), there.size


def _is_exact(there: FileDigest, line: ManifestEntry) -> bool:
    return there.size == line.size and there.digests["sha256"].hex() == line.sha256


def _entries(folder: str) -> tuple[list[str], list[str]]:
    """The names of the folders and files in `folder`, sorted, without hidden ones and links to folders."""
    folders: list[str] = []
    names: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif not os.path.isdir(entry.path):
                    names.append(entry.name)
    except OSError:
        return [], []
    return sorted(folders), sorted(names)
