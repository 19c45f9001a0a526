"""What a partial file leaves for the next run: a memo of what it is the beginning of, and whose it is now.

Beside `.name.token.part` stand `.part.json`, the memo, and `.part.claim`, which names the process at work on
it and is created exclusively. Should two processes ever take up one partial all the same, they do no harm:
both write the same bytes to the same places, for a partial is only continued and never cut.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import platform
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Memo = dict[str, Any]

_TRACE = re.compile(r"\.(.+)\.[0-9a-f]+\.part\.(?:json|claim)\Z", re.DOTALL)

FOREIGN_LIFETIME = 24 * 3600.0
"""Seconds after which a claim of another machine is void; by then the export itself is gone."""


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
    _beside(part, "json").write_text(text, encoding="utf-8")


def release(part: Path) -> None:
    """Leave `part` to the next run."""
    _beside(part, "claim").unlink(missing_ok=True)


def forget(part: Path) -> None:
    """Remove `part` and all that stands beside it."""
    for path in (part, _beside(part, "json"), _beside(part, "claim")):
        # What belongs to somebody else stays, and is in nobody's way.
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def take_up(target: Path) -> tuple[Path, Memo] | None:
    """Claim a partial of `target` that a run has left, and remove all others that nobody is at work on."""
    found = None
    for part in _left_behind(target):
        memo = _recall(part)
        if found is None and memo is not None and _free(part):
            found = part, memo
        else:
            forget(part)
    return found


def left_behind(folder: Path) -> frozenset[str]:
    """The names of all files in `folder` that a run may have left a partial of."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(found[1] for entry in entries if (found := _TRACE.match(entry.name)))
    except FileNotFoundError:
        return frozenset()


def _left_behind(target: Path) -> Iterator[Path]:
    """The partials of `target` that have a memo or a claim, and no living owner."""
    pattern = str(target.parent / f".{glob.escape(target.name)}.*.part.")
    traces = sorted({*glob.glob(pattern + "json"), *glob.glob(pattern + "claim")})
    for part in sorted({Path(trace.rpartition(".")[0]) for trace in traces}):
        if not _is_claimed(part):
            yield part


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
        return time.time() - path.stat().st_mtime < FOREIGN_LIFETIME
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return False


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


def _machine() -> str:
    """What tells this boot of this machine from others."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return platform.node()


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
