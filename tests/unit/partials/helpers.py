"""Partial files as earlier runs leave them, and a later run that resumes them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from packagex_async._partials.locked_partial import LockedPartial, resume_partial
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._partials.partial_metadata import PartialMetadata, boot_id, save_metadata
from packagex_async._partials.partial_names import sidecar

METADATA = {"length": 10, "algorithm": "md5"}

LONG_AGO = 1.0
"""A modification time at which every file counts as abandoned."""


def make_partial(
    directory: Path,
    token: str = "1",
    *,
    name: str = "a.csv",
    has_metadata: bool = True,
    has_content: bool = True,
) -> Path:
    """Create a partial file of the target `name` without a lock; return its path."""
    path = directory / f".{name}.{token}.part"
    if has_content:
        path.write_bytes(b"12345")
    if has_metadata:
        save_metadata(path, METADATA)
    return path


def make_claim(partial: Path, **changes: object) -> None:
    """Create a claim for `partial`, as a process of an earlier version does."""
    owner = {"machine": boot_id(), "pid": os.getpid(), "started": "1"}
    sidecar(partial, "claim").write_text(json.dumps(owner | changes))


def resume(target: Path) -> tuple[LockedPartial, PartialMetadata] | None:
    """Resume a partial file of `target`, as a later run does."""
    return resume_partial(target, PartialIndex())


def resumed_path(target: Path) -> Path | None:
    """Return the path of the partial file that a later run resumes; the file is closed again."""
    found = resume(target)
    if found is None:
        return None
    found[0].close()
    return found[0].path
