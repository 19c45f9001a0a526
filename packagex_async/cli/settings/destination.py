"""The destination of a command: a directory, or the URL of a bucket."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import attrs

from packagex_async import Bucket, BucketFile, ConfigurationError, DownloadedFile
from packagex_async.cli.messages.usage import UsageError


def parse_destination(text: str | Path) -> Path | Bucket:
    """Return a directory, or a bucket for a URL such as `s3://bucket/folder`.

    Raises:
        ConfigurationError: The text is empty, the URL of no bucket, or the path of a file.
    """
    if not text:
        raise ConfigurationError("DIRECTORY is empty: pass a path, or a URL such as s3://bucket/folder")
    if isinstance(text, str) and "://" in text:
        return Bucket(text)
    check_directory(directory := Path(text))
    return directory


def check_directory(directory: Path) -> None:
    """Check that a path is a directory, or that one can be created there.

    Raises:
        UsageError: The path or one of its parents is a file.
    """
    existing = next((path for path in (directory, *directory.parents) if os.path.lexists(path)), None)
    if existing is not None and not os.path.isdir(existing):
        raise UsageError(
            f"{existing} is not a directory", hint="choose another directory, or move the file away"
        )


def location_of(file: Any) -> object:
    """Return the path of a file, or the URL of an object."""
    return getattr(file, "url", None) or file.path


def file_record(file: DownloadedFile | BucketFile) -> dict[str, Any]:
    """Return the fields of a file or an object.

    The `path` of an object is its URL, and the `key` of a file is `None`.
    """
    record = {"key": None} | attrs.asdict(file)
    record.pop("url", None)
    return record | {"path": location_of(file)}
