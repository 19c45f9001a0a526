"""The destination of a command: a directory, or the URL of a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from packagex_async import Bucket, BucketFile, ConfigurationError, DownloadedFile


def parse_destination(text: str | Path) -> Path | Bucket:
    """Return a directory, or a bucket for a URL such as `s3://bucket/folder`.

    Raises:
        ConfigurationError: The text is empty, or is a URL that is not the URL of a bucket.
    """
    if not text:
        raise ConfigurationError("DIRECTORY is empty: pass a path, or a URL such as s3://bucket/folder")
    return Bucket(text) if isinstance(text, str) and "://" in text else Path(text)


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
