"""What a partial file leaves for the next run: a memo of what it is the beginning of, and whose it is now.

The name of a partial, `.name.token.part`, tells which process made it. One that may be gone on with has two
files beside it: `.part.json`, the memo (`.part.draft` while it is written), and `.part.claim`, which names
the process at work on it and is created exclusively. Should two processes ever take up one partial all the
same, they do no harm: both write the same bytes to the same places; a partial is only continued, never cut.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import platform
import re
import threading
import time
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import attrs

Memo = dict[str, Any]

FOREIGN_LIFETIME = 24 * 3600.0
"""Seconds after which a claim of another machine is void; by then the export itself is gone."""


_TRACE = r"(\.(.+)\.[^.]+\.part)(?:\.(?:draft|json|claim))?"
_OWNER = r".*\.([0-9a-f]{8})-([0-9]+)-([0-9a-z]+)-[0-9]+\.part"

_numbers = itertools.count(1)


@attrs.frozen(eq=False, repr=False)
class _Contents:
    """What stands in a folder.

    Attributes:
        partials: The partials by the names of their targets, even where only a memo or claim is left.
        ends: What follows the last dot in each name.
    """

    partials: dict[str, set[Path]] = attrs.field(factory=lambda: defaultdict(set))
    ends: set[str] = attrs.field(factory=set)


class Leftovers:
    """What stood in folders when a run came to them, each of which is looked through once."""

    def __init__(self) -> None:
        self._folders: dict[str, _Contents] = {}
        self._lock = threading.Lock()

    def of(self, target: Path) -> list[Path]:
        """The partials of `target`."""
        folder, name = os.path.split(target)
        return sorted(self._contents(folder).partials.get(name, ()))

    def had_any_like(self, target: Path) -> bool:
        """Whether there was anything with the end of `target`; without, there was no `target`, either."""
        folder, name = os.path.split(target)
        return _end(name) in self._contents(folder).ends

    def _contents(self, folder: str) -> _Contents:
        with self._lock:
            if folder not in self._folders:
                self._folders[folder] = _contents(Path(folder))
            return self._folders[folder]


def new_part(target: Path) -> Path:
    """A name for a partial of `target` that no other has."""
    return target.with_name(f".{target.name}.{_own_tag(os.getpid())}-{next(_numbers)}.part")


def claim(part: Path) -> bool:
    """Claim `part` for this process; whether nobody had."""
    try:
        with _beside(part, "claim").open("x", encoding="utf-8") as file:
            file.write(_owner())
    except FileExistsError:
        return False
    return True


def take(path: Path) -> bool:
    """Claim `path` unless a living process has; whether that worked."""
    return not _is_claimed(path) and _free(path)


def remember(part: Path, memo: Memo) -> None:
    """Write down what `part` is the beginning of."""
    text = json.dumps(memo | {"machine": _machine()})
    draft = _beside(part, "draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(_beside(part, "json"))


def release(part: Path) -> None:
    """Leave `part` to the next run."""
    _beside(part, "claim").unlink(missing_ok=True)


def forget(part: Path) -> None:
    """Remove `part` and all that stands beside it."""
    for path in (part, *(_beside(part, what) for what in ("draft", "json", "claim"))):
        # What belongs to somebody else stays, and is in nobody's way.
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def take_up(target: Path, leftovers: Leftovers) -> tuple[Path, Memo] | None:
    """Claim a partial of `target` that a run has left, and remove all others that nobody is at work on."""
    found = None
    for part in leftovers.of(target):
        if _is_claimed(part) or _is_being_made(part):
            continue
        memo = _recall(part)
        if found is None and memo is not None and _free(part):
            found = part, memo
        else:
            forget(part)
    return found


def _contents(folder: Path) -> _Contents:
    contents = _Contents()
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            contents.ends.add(_end(entry.name))
            if trace := re.fullmatch(_TRACE, entry.name):
                contents.partials[trace[2]].add(folder / trace[1])
    return contents


def _end(name: str) -> str:
    # Some disks make no difference between upper and lower case.
    return name.rpartition(".")[2].casefold()


def _free(part: Path) -> bool:
    """Claim `part`, over the dead body of its owner; whether that worked."""
    try:
        release(part)
        return claim(part)
    except OSError:
        return False


def _is_claimed(part: Path) -> bool:
    """Whether a process that may still live is at work on `part`."""
    path = _beside(part, "claim")
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
        if owner["machine"] == _machine():
            return bool(_started(owner["pid"]) == owner["started"])
        return _is_recent(path)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return False


def _is_being_made(part: Path) -> bool:
    """Whether `part` is not to be left, and the process in its name may live; an odd name is somebody's."""
    if any(_beside(part, what).exists() for what in ("json", "claim")) or not part.exists():
        return False
    token = re.fullmatch(_OWNER, part.name)
    if token is None:
        return True
    machine, pid, started = token.groups()
    if machine != _tag(_machine()):
        return _is_recent(part)
    return _started(int(pid)) == started


def _is_recent(path: Path) -> bool:
    return time.time() - path.stat().st_mtime < FOREIGN_LIFETIME


def _recall(part: Path) -> Memo | None:
    """The memo of `part`, when the file may be continued."""
    try:
        memo = json.loads(_beside(part, "json").read_text(encoding="utf-8"))
        # After a power cut a file may hold zeros at its end: only a hash can tell.
        whole = memo["algorithm"] is not None or memo["machine"] == _machine()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return memo if whole and part.is_file() and not part.is_symlink() else None


def _owner() -> str:
    pid = os.getpid()
    return json.dumps({"machine": _machine(), "pid": pid, "started": _started(pid)})


@cache
def _machine() -> str:
    """What tells this boot of this machine from others."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return platform.node()


@cache
def _own_tag(pid: int) -> str:
    return f"{_tag(_machine())}-{pid}-{_started(pid)}"


@cache
def _tag(machine: str) -> str:
    return hashlib.sha256(machine.encode()).hexdigest()[:8]


def _started(pid: int) -> str | None:
    """What tells the process `pid` from an earlier one of its number, or `None` when there is none."""
    try:
        # The fields behind the command's name, which may itself hold anything; the 20th is the start.
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except OSError:
        return _answers(pid)


def _answers(pid: int) -> str | None:
    if os.name != "posix":
        return "unknown"
    try:
        os.kill(pid, 0)
    except OSError:
        return None
    return "unknown"


def _beside(part: Path, what: str) -> Path:
    return part.with_name(f"{part.name}.{what}")
