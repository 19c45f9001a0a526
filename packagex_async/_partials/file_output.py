"""A file that is written in order, and gets its name when it is complete. All methods are blocking."""

from __future__ import annotations

import os
from pathlib import Path

from packagex_async._files.operations import replace_file, sync_directory, write_all
from packagex_async._files.paths import make_directories
from packagex_async._partials.locked_partial import LockedPartial, create_partial


class FileOutput:
    """A partial file of `target`.

    Args:
        target: The path of the complete file.
        root: The directory below which symbolic links are not followed.
    """

    def __init__(self, target: Path, root: Path) -> None:
        self._target = target
        self._root = root
        self._partial: LockedPartial | None = None

    def create(self) -> None:
        """Create the partial file.

        Raises:
            OSError: It cannot be created.
        """
        make_directories(self._target.parent, self._root)
        self._partial = create_partial(self._target, self._root)

    def write(self, data: bytes) -> None:
        """Write bytes.

        Raises:
            OSError: They cannot be written.
        """
        write_all(self._created.file, data)

    def publish(self, *, overwrite: bool, durable: bool) -> None:
        """Move the file to its target.

        Raises:
            FileExistsError: The target has different content, and `overwrite` is not set.
            OSError: The file cannot be moved.
        """
        partial = self._created
        if durable:
            os.fsync(partial.file)
        partial.prepare_rename()
        replace_file(partial.path, self._target, overwrite=overwrite)
        partial.close()
        self._partial = None
        if durable:
            sync_directory(self._target.parent)

    def discard(self) -> None:
        """Remove the file, unless it was published. Idempotent."""
        if self._partial is not None:
            self._partial.remove()
            self._partial = None

    @property
    def _created(self) -> LockedPartial:
        assert self._partial is not None  # noqa: S101  # `create` was called
        return self._partial
