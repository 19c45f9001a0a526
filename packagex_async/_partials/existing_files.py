"""The files and partial files that exist at a path before a download."""

from __future__ import annotations

from pathlib import Path

import attrs

from packagex_async._files.operations import file_size
from packagex_async._files.paths import require_directories
from packagex_async._partials.partial_index import PartialIndex

_NOT_A_FILE = -1


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ExistingFile:
    """The content of a path before a download.

    Attributes:
        size: The length of the file in bytes; `None` if the path does not exist.
        has_partial: Whether there is a partial file of an earlier run.
        refused: The error if the directory of the path must not be used.
    """

    size: int | None = None
    has_partial: bool = False
    refused: OSError | None = None

    @property
    def exists(self) -> bool:
        """Whether the path exists, as a file or as something else."""
        return self.size is not None

    @property
    def is_readable(self) -> bool:
        """Whether the path is a regular file."""
        return self.size not in (None, _NOT_A_FILE)

    @property
    def is_absent(self) -> bool:
        """Whether there is certainly neither a file nor a partial file."""
        return self.size is None and not self.has_partial and self.refused is None


ABSENT = ExistingFile()
"""Neither a file nor a partial file."""


def examine(path: Path, root: Path, index: PartialIndex | None, *, expected: bool = True) -> ExistingFile:
    """Examine `path` without following links below `root`.

    Args:
        path: The path of a file.
        root: The directory of the download.
        index: The partial files of earlier runs, or `None` to ignore partial files.
        expected: Whether a file is likely. If not, `index` may show without a system call that the path does
            not exist. A file that appears later is never overwritten.
    """
    try:
        require_directories(path.parent, root)
    except OSError as error:
        return ExistingFile(refused=error)
    is_possible = expected or index is None or index.may_exist(path)
    size = _size(path) if is_possible else None
    has_partial = index is not None and bool(index.find(path))
    return ExistingFile(size=size, has_partial=has_partial) if size is not None or has_partial else ABSENT


def _size(path: Path) -> int | None:
    try:
        return file_size(path)
    except OSError:
        return _NOT_A_FILE
