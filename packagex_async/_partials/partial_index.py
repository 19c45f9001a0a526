"""What a partial file leaves for the next run, and which process is at work on it.

A partial file is called `.name.token.part`. The process that writes it holds a lock on the open file, which
the operating system releases when the process ends. Metadata for the next run is beside it, in `.part.json`
(`.part.draft` while it is written).

Nothing depends on the lock alone, since some network file systems grant it twice: each attempt creates a
partial file of its own, a later run only continues one and never cuts it, and only a verified file takes the
place of the target. Where locks are not supported, a partial file of another process counts as in use for 24
hours.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import json
import os
import platform
import re
import sys
import threading
from collections import defaultdict
from functools import cache
from pathlib import Path

import attrs

from packagex_async._files.locks import LIFETIME, LockResult, try_lock, unlock
from packagex_async._files.operations import made, put_in_place, report_write_errors, write_all
from packagex_async._files.paths import UnsafePathError, is_recent, is_regular, open_regular, read_small
from packagex_async._partials import legacy_partials
from packagex_async._partials.partial_metadata import MAX_SIZE, PartialMetadata, parse_memo

_TRACE = r"(\.(.+)\.[^.]+\.part)(?:\.(?:draft|json|claim))?"
_NAME = r".*\.[0-9a-f]{16}-[0-9]+\.part"
_ENDINGS = ("draft", "json", "claim")

_MAX_NAME = 255
"""Bytes that a file name may have."""
_MAX_TARGET_NAME = _MAX_NAME - len("..0123456789abcdef-0123456789.part.draft")
_HASH_SIZE = 16

_ATTEMPTS = 5

# Windows does not rename a file that is open.
_CLOSES_BEFORE_RENAME = os.name == "nt"

_numbers = itertools.count(1)
_in_use: dict[str, int] = {}
"""The descriptors of the partial files of this process by name, where the file system supports no locks."""


class LockedPartial:
    """An open partial file that nobody else is at work on.

    Attributes:
        path: Where it is.
        file: Its descriptor, for reading and writing; -1 once it is closed.
    """

    def __init__(self, path: Path, file: int) -> None:
        self.path = path
        self.file = file

    def move_to(self, target: Path, *, overwrite: bool) -> None:
        """Put the file in the place of `target`, and close it.

        Raises:
            FileExistsError: There is something else, and `overwrite` is not set.
            OSError: The file is no longer at its path, or the operating system refuses.
        """
        report_write_errors(self.file)
        if not self._is_in_place():
            raise FileNotFoundError(errno.ENOENT, f"{self.path} was removed or replaced")
        if _CLOSES_BEFORE_RENAME:
            self.close()
        put_in_place(self.path, target, overwrite=overwrite)
        self.close()

    def _is_in_place(self) -> bool:
        """Whether the file is still at its path, and nothing else."""
        try:
            return os.path.samestat(os.fstat(self.file), os.lstat(self.path))
        except OSError:
            return False

    def remove(self) -> None:
        """Remove the file and its metadata, and close it."""
        if _CLOSES_BEFORE_RENAME:
            self.close()
        forget(self.path)
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


@attrs.frozen(eq=False, repr=False)
class _Contents:
    """The content of a directory.

    Attributes:
        partials: The partial files by the names of their targets, even if only their metadata is left.
        ends: The text behind the last dot of each name.
    """

    partials: dict[str, set[Path]] = attrs.field(factory=lambda: defaultdict(set))
    ends: set[str] = attrs.field(factory=set)


class PartialIndex:
    """The content of directories when a run first looked at them; each is read once.

    A directory that cannot be read counts as one without partial files: writing to it tells what is wrong.
    """

    def __init__(self) -> None:
        self._folders: dict[str, _Contents | None] = {}
        self._lock = threading.Lock()

    def of(self, target: Path) -> list[Path]:
        """The partial files of `target`."""
        folder, name = os.path.split(target)
        contents = self._contents(folder)
        return sorted(contents.partials.get(_shortened(name), ())) if contents else []

    def had_any_like(self, target: Path) -> bool:
        """Whether there may be anything with the end of `target`; without, there was no `target`, either."""
        folder, name = os.path.split(target)
        contents = self._contents(folder)
        return contents is None or _end(name) in contents.ends

    def _contents(self, folder: str) -> _Contents | None:
        with self._lock:
            if folder not in self._folders:
                self._folders[folder] = _contents(Path(folder))
            return self._folders[folder]


def create(target: Path, root: Path) -> LockedPartial:
    """Create a partial file of `target`, locked, under a name that no other has.

    Args:
        target: The target.
        root: The directory that the target must not lead out of.

    Raises:
        OSError: It cannot be created.
    """
    for _ in range(_ATTEMPTS):
        path = new_part(target)
        part = LockedPartial(path, made(path, target.parent, root=root))
        try:
            # Another run may have seen it before it was locked, and have removed it as one left behind.
            if _hold(part) and is_regular(path):
                return part
        except BaseException:
            part.remove()
            raise
        part.remove()
    raise FileNotFoundError(errno.ENOENT, "partial files are removed as soon as they are created")


def new_part(target: Path) -> Path:
    """A name for a partial of `target` that no other has."""
    name = _shortened(target.name)
    return target.with_name(f".{name}.{_own_token(os.getpid())}-{next(_numbers)}.part")


def remember(part: Path, memo: PartialMetadata) -> None:
    """Write down what `part` is the beginning of."""
    text = json.dumps(memo | {"machine": _machine()})
    draft = _beside(part, "draft")
    file = open_regular(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        write_all(file, text.encode())
    finally:
        os.close(file)
    draft.replace(_beside(part, "json"))


def forget(part: Path) -> None:
    """Remove `part` and all that stands beside it."""
    for path in (part, *(_beside(part, ending) for ending in _ENDINGS)):
        # What belongs to somebody else stays, and is in nobody's way.
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def take_up(target: Path, leftovers: PartialIndex) -> tuple[LockedPartial, PartialMetadata] | None:
    """Lock a partial file of `target` that a run has left, and remove all others that nobody uses."""
    found = None
    for path in leftovers.of(target):
        part = _locked(path)
        if part is None:
            continue
        memo = _recall(path)
        if found is None and memo is not None:
            found = part, memo
        elif memo is not None or _is_made_here(path):
            part.remove()
        else:
            part.close()
    return found


def _locked(path: Path) -> LockedPartial | None:
    """Open and lock the partial file at `path`; `None` if somebody else uses it, or if it is none."""
    if legacy_partials.may_be_in_use(path, _machine()):
        return None
    try:
        part = LockedPartial(path, open_regular(path, os.O_RDWR))
    except (FileNotFoundError, UnsafePathError):
        forget(path)
        return None
    except OSError:
        if not is_recent(path, LIFETIME):
            forget(path)
        return None
    with contextlib.suppress(OSError):
        # It may have taken the place of its target between its opening and its locking.
        if _hold(part) and is_regular(path):
            return part
    part.close()
    return None


def _hold(part: LockedPartial) -> bool:
    """Lock `part`; whether that worked."""
    result = try_lock(part.file)
    if result is not LockResult.UNSUPPORTED:
        return result is LockResult.ACQUIRED
    name = part.path.name
    if _own_token(os.getpid()) not in name and is_recent(part.path, LIFETIME):
        return False
    return _in_use.setdefault(name, part.file) == part.file


def _is_made_here(part: Path) -> bool:
    """Whether this package has made `part`, as its name or its unusable metadata tells."""
    return bool(re.fullmatch(_NAME, part.name)) or legacy_partials.is_one(part)


def _contents(folder: Path) -> _Contents | None:
    contents = _Contents()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                contents.ends.add(_end(entry.name))
                if trace := re.fullmatch(_TRACE, entry.name):
                    contents.partials[trace[2]].add(folder / trace[1])
    except FileNotFoundError:
        return contents
    except OSError:
        return None
    return contents


def _end(name: str) -> str:
    # Some disks make no difference between upper and lower case.
    return name.rpartition(".")[2].casefold()


def _shortened(name: str) -> str:
    """The name of a target in those of its partial files: if it is too long for that, a hash tells it."""
    encoded = os.fsencode(name)
    if len(encoded) <= _MAX_TARGET_NAME:
        return name
    beginning = encoded[: _MAX_TARGET_NAME - _HASH_SIZE - 1].decode(sys.getfilesystemencoding(), "ignore")
    return f"{beginning}~{hashlib.sha256(encoded).hexdigest()[:_HASH_SIZE]}"


def _recall(part: Path) -> PartialMetadata | None:
    """The metadata of `part`, if the file may be continued."""
    try:
        _beside(part, "draft").unlink(missing_ok=True)
        memo = parse_memo(read_small(_beside(part, "json"), MAX_SIZE))
    except OSError:
        return None
    if memo is None:
        return None
    # After a power cut a file may hold zeros at its end: only a hash can tell.
    return memo if memo["algorithm"] is not None or memo["machine"] == _machine() else None


@cache
def _machine() -> str:
    """What tells this boot of this machine from others."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ascii(platform.node())


@cache
def _own_token(_pid: int) -> str:
    """What tells this process from all others; a process that was forked has another."""
    return os.urandom(8).hex()


def _beside(part: Path, ending: str) -> Path:
    return part.with_name(f"{part.name}.{ending}")
