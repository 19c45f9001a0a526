"""Validation of the options of a job."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any

from packagex_async._api.requests import select_artifacts
from packagex_async._buckets.bucket import Bucket
from packagex_async._files.layouts import parse_directory
from packagex_async.errors import ConfigurationError
from packagex_async.exports import AsyncExports

WORKER_OPTIONS = (
    "concurrency", "resume", "layout", "verify", "artifacts", "overwrite", "require_verification", "max_size",
    "durability", "segments", "format", "types", "count_rows", "exclude", "dry_run",
)  # fmt: skip
"""The options of `download_all` that the workers need."""

_PARAMETERS = inspect.signature(AsyncExports.download_all).parameters
_NOT_OPTIONS = ("self", "directory")


def check_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of `download_all` in a form that can be sent to workers.

    Raises:
        ConfigurationError: An option is unknown, or cannot be used on a cluster.
    """
    for name in options:
        if name not in _PARAMETERS or name in _NOT_OPTIONS:
            raise ConfigurationError(f"{name} is not an option of download_all")
    if options.get("on_progress") is not None:
        raise ConfigurationError(
            "on_progress cannot be used on a cluster, because the events of a transfer stay on its worker: "
            "use the reports"
        )
    checked = {name: value for name, value in options.items() if name != "on_progress"}
    # The arguments may be iterators, which cannot be sent.
    if "artifacts" in checked:
        checked["artifacts"] = select_artifacts(checked["artifacts"])
    if not isinstance(checked.get("exclude"), (str, type(None))):
        checked["exclude"] = tuple(checked["exclude"])
    if checked.get("types") is not None:
        checked["types"] = dict(checked["types"])
    return checked


def worker_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the workers need, with all defaults."""
    return {name: options.get(name, _PARAMETERS[name].default) for name in WORKER_OPTIONS}


def check_destination(destination: str | os.PathLike[str] | Bucket) -> str | Bucket:
    """Return a bucket, or the absolute path of a directory: workers have other working directories.

    Raises:
        ConfigurationError: It is neither a path nor a bucket.
    """
    if isinstance(destination, Bucket):
        return destination
    return str(parse_directory(destination).absolute())


def check_batch_size(batch_size: int) -> int:
    """Return the number of exports of a batch.

    Raises:
        ConfigurationError: It is not a positive integer.
    """
    if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1:
        raise ConfigurationError(f"batch_size must be an integer of 1 or more, not {batch_size!r}")
    return batch_size
