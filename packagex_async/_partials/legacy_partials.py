"""Partial files of earlier versions, which record the process that uses them instead of holding a lock.

The process is recorded in the `.claim` file, or in the name of a partial file that was not resumable.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from packagex_async._files.locks import STALE_AFTER
from packagex_async._files.paths import is_recent, read_small
from packagex_async._partials.partial_names import sidecar

_LEGACY_NAME = r".*\.[0-9a-f]{8}-[0-9]+-[0-9a-z]+-[0-9]+\.part"
_MAX_CLAIM_SIZE = 4096
_MAX_PID = 2**31 - 1


def may_be_in_use(path: Path, boot_id: str) -> bool:
    """Return whether a process of an earlier version may be using the partial file `path`.

    Args:
        path: The partial file.
        boot_id: The identifier of the current boot of this machine.
    """
    claim = sidecar(path, "claim")
    if is_recent(claim, STALE_AFTER):
        return _is_process_alive(claim, boot_id)
    return (
        _has_legacy_name(path) and is_recent(path, STALE_AFTER) and not os.path.lexists(sidecar(path, "json"))
    )


def is_legacy_partial(path: Path) -> bool:
    """Return whether an earlier version created `path`, judging by its name and the files beside it."""
    return _has_legacy_name(path) or any(
        os.path.lexists(sidecar(path, suffix)) for suffix in ("json", "claim")
    )


def _has_legacy_name(path: Path) -> bool:
    return bool(re.fullmatch(_LEGACY_NAME, path.name))


def _is_process_alive(claim: Path, boot_id: str) -> bool:
    try:
        owner = json.loads(read_small(claim, _MAX_CLAIM_SIZE))
        pid = owner["pid"]
        if type(pid) is not int or not 0 < pid <= _MAX_PID or type(owner["machine"]) is not str:
            return False
        if owner["machine"] == boot_id and os.name == "posix":
            os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return True
