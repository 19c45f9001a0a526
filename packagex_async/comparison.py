"""How a file stands to the line that the manifest has of it; in plain blocking calls."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from packagex_async._brief import brief
from packagex_async._files import Measured, measure
from packagex_async._manifest import NAME
from packagex_async._manifest_line import Line

# No layout makes a name with one of these, and on some system each of them parts names.
_PARTING = "\\:\0"


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

    __repr__ = brief


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

    def checked(self, line: Line) -> CheckedFile:
        """How the file that `line` names stands to it."""
        path = line.path or ""
        state, size = self._state(path, line) if self._is_inside(path) else (FileState.OUTSIDE, None)
        return CheckedFile(
            path=path,
            state=state,
            export_id=line.export_id,
            artifact=line.artifact,
            size=size,
            expected_size=line.size,
        )

    def unlisted(self, is_listed: Callable[[str], bool]) -> Iterator[CheckedFile]:
        """The files of the folder that are not listed, save the manifest and hidden ones."""
        for above, folders, names in os.walk(self._folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                path = Path(above, name).relative_to(self._folder).as_posix()
                if not name.startswith((".", NAME)) and not is_listed(path):
                    yield CheckedFile(path=path, state=FileState.UNLISTED)

    def _is_inside(self, path: str) -> bool:
        if any(name in ("", ".", "..") for name in path.split("/")) or any(mark in path for mark in _PARTING):
            return False
        if "/" not in path:
            return True
        # A link among the folders above may lead anywhere.
        above = os.path.realpath((self._folder / path).parent)
        return Path(above).is_relative_to(self._root)

    def _state(self, path: str, line: Line) -> tuple[FileState, int | None]:
        try:
            there = measure(self._folder / path, ("sha256",), self._heard)
        except FileExistsError:
            return FileState.CHANGED, None
        except OSError:
            return FileState.UNREADABLE, None
        if there is None:
            return FileState.MISSING, None
        return (FileState.EXACT if _is_exact(there, line) else FileState.CHANGED), there.size


def _is_exact(there: Measured, line: Line) -> bool:
    return there.size == line.size and there.digests["sha256"].hex() == line.sha256
