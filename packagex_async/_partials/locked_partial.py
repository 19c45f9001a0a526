"""Open partial files that no other process or task uses.

The process that writes a partial file holds a lock on the open file, which the operating system releases
when the process ends. Correctness does not depend on the lock alone, because some network file systems grant
it twice: each attempt creates a new partial file, a later run only continues one and never truncates it, and
only a verified file replaces the target. If locks are not supported, a partial file of another process counts
as in use for 24 hours.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from packagex_async._files.locks import STALE_AFTER, LockResult, try_lock, unlock
from packagex_async._files.operations import create_file, report_write_errors
from packagex_async._files.paths import UnsafePathError, is_recent, is_regular, open_regular
from packagex_async._partials.legacy_partials import is_legacy_partial, may_be_in_use
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._partials.partial_metadata import (
    PartialMetadata,
    boot_id,
    load_metadata,
    remove_with_metadata,
)
from packagex_async._partials.partial_names import (
    belongs_to_this_process,
    has_current_name,
    new_partial_path,
)

_MAX_ATTEMPTS = 5

# Windows does not rename an open file.
_CLOSE_BEFORE_RENAME = os.name == "nt"

_in_use: dict[str, int] = {}
"""The descriptors of the partial files of this process by name, if the file system does not support locks."""


class LockedPartial:
    """An open partial file that no other process or task uses.

    Attributes:
        path: The path of the file.
        file: The descriptor, for reading and writing; -1 after `close`.
    """

    def __init__(self, path: Path, file: int) -> None:
        self.path = path
        self.file = file

    def prepare_rename(self) -> None:
        """Check that the file is complete and still at its path, before it is renamed.

        Raises:
            OSError: Written data could not be stored, or the file was removed or replaced.
        """
        report_write_errors(self.file)
        if not self._is_at_its_path():
            raise FileNotFoundError(errno.ENOENT, f"{self.path} was removed or replaced")
        if _CLOSE_BEFORE_RENAME:
            self.close()

    def _is_at_its_path(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self.file), os.lstat(self.path))
        except OSError:
            return False

    def remove(self) -> None:
        """Remove the file and its metadata, and close it."""
        if _CLOSE_BEFORE_RENAME:
            self.close()
        remove_with_metadata(self.path)
        self.close()

    def close(self) -> None:
        """Release the lock and close the file; idempotent."""
        if self.file < 0:
            return
        file, self.file = self.file, -1
        if _in_use.get(self.path.name) == file:
            del _in_use[self.path.name]
        unlock(file)
        os.close(file)


def create_partial(target: Path, root: Path) -> LockedPartial:
    """Create and lock a partial file of `target`, under a unique name.

    Args:
        target: The path of the complete file.
        root: The directory below which symbolic links are not followed.

    Raises:
        OSError: It cannot be created.
    """
    for _ in range(_MAX_ATTEMPTS):
        path = new_partial_path(target)
        partial = LockedPartial(path, create_file(path, target.parent, root=root))
        try:
            # Before the lock was taken, another run may have removed the file as an abandoned one.
            if _lock(partial) and is_regular(path):
                return partial
        except BaseException:
            partial.remove()
            raise
        partial.remove()
    raise FileNotFoundError(errno.ENOENT, "another process removes partial files as soon as they are created")


def resume_partial(target: Path, index: PartialIndex) -> tuple[LockedPartial, PartialMetadata] | None:
    """Lock a resumable partial file of `target`, and remove all other unused ones.

    Returns:
        The partial file and its metadata, or `None` if there is none that can be resumed.
    """
    found = None
    for path in index.find(target):
        partial = _open(path)
        if partial is None:
            continue
        metadata = load_metadata(path)
        if found is None and metadata is not None:
            found = partial, metadata
        elif metadata is not None or has_current_name(path) or is_legacy_partial(path):
            partial.remove()
        else:
            partial.close()
    return found


def _open(path: Path) -> LockedPartial | None:
    """Open and lock the partial file `path`; return `None` if it is in use, or not a regular file."""
    if may_be_in_use(path, boot_id()):
        return None
    try:
        partial = LockedPartial(path, open_regular(path, os.O_RDWR))
    except (FileNotFoundError, UnsafePathError):
        remove_with_metadata(path)
        return None
    except OSError:
        if not is_recent(path, STALE_AFTER):
            remove_with_metadata(path)
        return None
    with contextlib.suppress(OSError):
        # Before the lock was taken, another run may have moved the file to its target.
        if _lock(partial) and is_regular(path):
            return partial
    partial.close()
    return None


def _lock(partial: LockedPartial) -> bool:
    """Lock `partial`, and return whether that succeeded."""
    result = try_lock(partial.file)
    if result is not LockResult.UNSUPPORTED:
        return result is LockResult.ACQUIRED
    if not belongs_to_this_process(partial.path) and is_recent(partial.path, STALE_AFTER):
        return False
    return _in_use.setdefault(partial.path.name, partial.file) == partial.file
