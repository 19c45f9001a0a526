"""Names of partial files: `.name.token.part` beside the target `name`, with `.json` for its metadata.

The metadata is written to `.draft` first. Earlier versions used `.claim` in place of a lock.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import sys
from functools import cache
from pathlib import Path

SIDECAR_SUFFIXES = ("draft", "json", "claim")

_ANY_NAME = r"(\.(.+)\.[^.]+\.part)(?:\.(?:draft|json|claim))?"
_CURRENT_NAME = r".*\.[0-9a-f]{16}-[0-9]+\.part"
_MAX_TARGET_NAME = 255 - len("..0123456789abcdef-0123456789.part.draft")
"""Bytes of a target's name that fit into the names of its partial files."""
_HASH_SIZE = 16

_counter = itertools.count(1)


def new_partial_path(target: Path) -> Path:
    """Return a new, unique path for a partial file of `target`."""
    return target.with_name(f".{shorten(target.name)}.{_process_token(os.getpid())}-{next(_counter)}.part")


def sidecar(path: Path, suffix: str) -> Path:
    """Return the path of a file that belongs to the partial file `path`."""
    return path.with_name(f"{path.name}.{suffix}")


def parse_name(name: str) -> tuple[str, str] | None:
    """Return the target and the name of a partial file, from its name or that of a file that belongs to it.

    The name of the target may be shortened. Returns `None` for all other files.
    """
    match = re.fullmatch(_ANY_NAME, name)
    return (match[2], match[1]) if match else None


def has_current_name(path: Path) -> bool:
    """Return whether `path` has the name that this version gives to a partial file."""
    return bool(re.fullmatch(_CURRENT_NAME, path.name))


def belongs_to_this_process(path: Path) -> bool:
    """Return whether this process created the partial file `path`."""
    return _process_token(os.getpid()) in path.name


def shorten(name: str) -> str:
    """Return the name of a target as it appears in those of its partial files: long ones end with a hash."""
    encoded = os.fsencode(name)
    if len(encoded) <= _MAX_TARGET_NAME:
        return name
    prefix = encoded[: _MAX_TARGET_NAME - _HASH_SIZE - 1].decode(sys.getfilesystemencoding(), "ignore")
    return f"{prefix}~{hashlib.sha256(encoded).hexdigest()[:_HASH_SIZE]}"


@cache
def _process_token(_pid: int) -> str:
    """Return random text that identifies this process; a forked process gets a new one."""
    return os.urandom(8).hex()
