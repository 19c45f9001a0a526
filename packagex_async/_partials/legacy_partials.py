"""Partial files of earlier versions, which name the process at work on them instead of holding a lock.

A process is named in `.part.claim`, or, if the partial file was never to be continued, in its own name.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from packagex_async._files.locks import LIFETIME
from packagex_async._files.paths import is_recent, read_small

_NAME = r".*\.[0-9a-f]{8}-[0-9]+-[0-9a-z]+-[0-9]+\.part"
_MAX_CLAIM = 4096
_MAX_PID = 2**31 - 1


def may_be_in_use(part: Path, machine: str) -> bool:
    """Return whether a process of an earlier version may be at work on `part`.

    Args:
        part: The partial file.
        machine: What names this boot of this machine.
    """
    claim = _beside(part, "claim")
    if is_recent(claim, LIFETIME):
        return _is_held(claim, machine)
    return _has_its_name(part) and is_recent(part, LIFETIME) and not os.path.lexists(_beside(part, "json"))


def is_one(part: Path) -> bool:
    """Return whether this package has made `part`, as its name or what is beside it tells."""
    return _has_its_name(part) or any(os.path.lexists(_beside(part, ending)) for ending in ("json", "claim"))


def _has_its_name(part: Path) -> bool:
    return bool(re.fullmatch(_NAME, part.name))


def _beside(part: Path, ending: str) -> Path:
    return part.with_name(f"{part.name}.{ending}")


def _is_held(claim: Path, machine: str) -> bool:
    try:
        owner = json.loads(read_small(claim, _MAX_CLAIM))
        pid = owner["pid"]
        if type(pid) is not int or not 0 < pid <= _MAX_PID or type(owner["machine"]) is not str:
            return False
        if owner["machine"] == machine and os.name == "posix":
            os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return True
