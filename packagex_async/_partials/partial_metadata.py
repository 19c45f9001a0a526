"""The metadata file of a partial file: how a later run finds out what the partial file contains.

Its content is validated completely, because anything can change a file on disk.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from functools import cache
from pathlib import Path
from typing import Any

from packagex_async._files.operations import write_all
from packagex_async._files.paths import open_regular, read_small
from packagex_async._partials.partial_names import SIDECAR_SUFFIXES, sidecar

PartialMetadata = dict[str, Any]

MAX_SIZE = 64 * 1024
"""Bytes that a metadata file may have."""

MAX_LENGTH = 2**63 - 1
"""Bytes that a file may have."""

MAX_GAPS = 256
"""Gaps that a partial file may have; with more, filling them takes too many requests."""


def save_metadata(path: Path, metadata: PartialMetadata) -> None:
    """Write the metadata of the partial file `path`, in one step.

    Raises:
        OSError: It cannot be written.
    """
    text = json.dumps(metadata | {"machine": boot_id()})
    draft = sidecar(path, "draft")
    file = open_regular(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        write_all(file, text.encode())
    finally:
        os.close(file)
    draft.replace(sidecar(path, "json"))


def load_metadata(path: Path) -> PartialMetadata | None:
    """Return the metadata of the partial file `path`, or `None` if the file must not be resumed."""
    try:
        sidecar(path, "draft").unlink(missing_ok=True)
        metadata = parse_metadata(read_small(sidecar(path, "json"), MAX_SIZE))
    except OSError:
        return None
    if metadata is None:
        return None
    # After a power failure a file may end with zeros, which only a hash can detect.
    return metadata if metadata["algorithm"] is not None or metadata["machine"] == boot_id() else None


def remove_with_metadata(path: Path) -> None:
    """Remove the partial file `path` and all files that belong to it, except those of other users."""
    for file in (path, *(sidecar(path, suffix) for suffix in SIDECAR_SUFFIXES)):
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def parse_metadata(text: bytes) -> PartialMetadata | None:
    """Return the metadata in `text`, or `None` if it is not valid.

    Valid metadata has a `length` and a `machine`, an `algorithm` that is a name or `None`, and optional
    `gaps` with two numbers each. All of its text can be used in a request header.
    """
    try:
        metadata = json.loads(text, object_pairs_hook=_reject_duplicates)
        is_valid = type(metadata) is dict and _has_valid_types(metadata) and _is_printable(metadata)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return metadata if is_valid else None


def _reject_duplicates(fields: list[tuple[str, Any]]) -> PartialMetadata:
    if len(fields) != len(dict(fields)):
        raise ValueError("duplicate keys")
    return dict(fields)


def _has_valid_types(metadata: PartialMetadata) -> bool:
    return (
        type(metadata["length"]) is int
        and 0 <= metadata["length"] <= MAX_LENGTH
        and type(metadata["machine"]) is str
        and type(metadata["algorithm"]) in (str, type(None))
        and _are_ranges(metadata.get("gaps", []))
    )


def _are_ranges(gaps: Any) -> bool:
    if type(gaps) is not list or len(gaps) > MAX_GAPS:
        return False
    return all(type(gap) is list and len(gap) == 2 and type(gap[0]) is type(gap[1]) is int for gap in gaps)


def _is_printable(value: Any) -> bool:
    """Return whether all text in `value` is printable ASCII; a line break could inject a request header."""
    if isinstance(value, str):
        return value.isascii() and value.isprintable()
    if isinstance(value, dict):
        return all(map(_is_printable, value)) and all(map(_is_printable, value.values()))
    return not isinstance(value, list) or all(map(_is_printable, value))


@cache
def boot_id() -> str:
    """Return text that identifies the current boot of this machine, or else this machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ascii(platform.node())
