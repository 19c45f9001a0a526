"""Compare the files of a directory with its manifest. All calls are blocking."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from packagex_async._files.operations import digest_file, file_size
from packagex_async._files.paths import UnsafePathError
from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async._utils.reprs import concise_repr

# No layout creates a name with one of these characters. Each of them separates names on some system.
_SEPARATORS = "\\:\0"

_MAX_PATH_LENGTH = 4096
"""Maximum characters of a path that an operating system accepts."""


class FileState(enum.StrEnum):
    """Result of comparing a file with the manifest of its directory.

    - `EXACT`: length and SHA-256 are the same as in the manifest.
    - `CHANGED`: length or SHA-256 differ, or it is not a regular file.
    - `MISSING`: the file does not exist.
    - `UNREADABLE`: the operating system does not allow reading the file.
    - `OUTSIDE`: the path in the manifest leads out of the directory. The file was not opened.
    - `UNLISTED`: the file is not in the manifest.
    """

    EXACT = "exact"
    CHANGED = "changed"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    OUTSIDE = "outside"
    UNLISTED = "unlisted"


@attrs.frozen(kw_only=True, repr=False)
class CheckedFile:
    """One file of a directory that was verified.

    Attributes:
        path: Path relative to the directory, with `/` as separator.
        state: Result of the comparison with the manifest.
        export_id: Id of the export; `None` if the file is not in the manifest.
        artifact: Name of the artifact; `None` if the file is not in the manifest.
        size: Length in bytes; `None` if the file was not read.
        expected_size: Length in bytes in the manifest; `None` if the file is not in the manifest.
    """

    path: str
    state: FileState
    export_id: str | None = None
    artifact: str | None = None
    size: int | None = None
    expected_size: int | None = None

    __repr__ = concise_repr


class FileChecker:
    """Compares files of one directory with entries of its manifest.

    Args:
        directory: The directory.
        on_read: Called with the number of bytes after each block that was read; may raise to stop reading.
    """

    def __init__(self, directory: Path, on_read: Callable[[int], object]) -> None:
        self._directory = directory
        self._real_path = os.path.realpath(directory)
        self._on_read = on_read

    def check(self, entry: ManifestEntry) -> CheckedFile:
        """Compare the file of `entry` with it."""
        path = entry.path or ""
        try:
            state, size = self._compare(path, entry) if self._is_inside(path) else (FileState.OUTSIDE, None)
        except UnicodeEncodeError:
            # The file system cannot have a file of this name.
            state, size = FileState.MISSING, None
        return CheckedFile(
            path=path,
            state=state,
            export_id=entry.export_id,
            artifact=entry.artifact,
            size=size,
            expected_size=entry.size,
        )

    def unlisted_files(self, is_listed: Callable[[str], bool]) -> Iterator[CheckedFile]:
        """Yield the files that are not listed, except hidden files and the manifest.

        Directories that cannot be read are skipped.
        """
        pending = [""]
        while pending:
            parent = pending.pop()
            directories, names = _scan(os.path.join(self._directory, parent))
            for name in names:
                if not name.startswith(MANIFEST_NAME) and not is_listed(f"{parent}{name}"):
                    yield CheckedFile(path=f"{parent}{name}", state=FileState.UNLISTED)
            pending += [f"{parent}{name}/" for name in reversed(directories)]

    def _is_inside(self, path: str) -> bool:
        if len(path) > _MAX_PATH_LENGTH or any(character in path for character in _SEPARATORS):
            return False
        if any(name in ("", ".", "..") for name in path.split("/")):
            return False
        if "/" not in path or not os.path.lexists(self._directory / path.partition("/")[0]):
            return True
        # A parent directory may be a symbolic link.
        parent = os.path.realpath((self._directory / path).parent)
        return Path(parent).is_relative_to(self._real_path)

    def _compare(self, path: str, entry: ManifestEntry) -> tuple[FileState, int | None]:
        try:
            size = file_size(self._directory / path)
            if size not in (None, entry.size):
                # A file of another length is not read: it may be very large.
                self._on_read(size or 0)
                return FileState.CHANGED, size
            file = digest_file(self._directory / path, ("sha256",), self._on_read)
        except UnsafePathError:
            return FileState.CHANGED, None
        except OSError:
            return FileState.UNREADABLE, None
        if file is None:
            return FileState.MISSING, None
        return (FileState.EXACT if entry.matches(file) else FileState.CHANGED), file.size


def _scan(directory: str) -> tuple[list[str], list[str]]:
    """Return the sorted names of directories and files, without hidden ones and links to directories."""
    directories: list[str] = []
    names: list[str] = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    directories.append(entry.name)
                elif not os.path.isdir(entry.path):
                    names.append(entry.name)
    except OSError:
        return [], []
    return sorted(directories), sorted(names)
