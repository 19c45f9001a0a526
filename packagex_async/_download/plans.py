"""Validation of the options of a download."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Literal

from packagex_async._api.requests import select_artifacts
from packagex_async._buckets.bucket import Bucket
from packagex_async._concurrency.tuning import MAX_SEGMENTS
from packagex_async._download.export import DownloadPlan
from packagex_async._download.options import DownloadOptions, FileFormat
from packagex_async._files.layouts import parse_directory
from packagex_async._partials.partial_index import PartialIndex
from packagex_async.errors import ConfigurationError
from packagex_async.models import Artifact, ArtifactName
from packagex_async.report import OnProgress


def make_plan(
    directory: str | os.PathLike[str] | Bucket,
    *,
    artifacts: Iterable[Artifact | ArtifactName] | Artifact | ArtifactName | None,
    concurrency: int,
    on_progress: OnProgress | None,
    overwrite: bool,
    digest: Literal["sha256"] | None,
    resume: bool,
    require_verification: bool,
    max_size: int | None,
    durability: Literal["fsync"] | None,
    segments: int,
    file_format: FileFormat | None = None,
    dry_run: bool = False,
) -> DownloadPlan:
    """Return the plan of a download with the parameters of `download`.

    Raises:
        ConfigurationError: An option is invalid.
    """
    _check_value("digest", digest, "sha256")
    _check_value("durability", durability, "fsync")
    if max_size is not None:
        _check_positive("max_size", max_size)
    _check_positive("segments", segments)
    if segments > MAX_SEGMENTS:
        raise ConfigurationError(f"segments must be {MAX_SEGMENTS} or less, not {segments}")
    _check_positive("concurrency", concurrency)
    selected = select_artifacts(artifacts)
    if file_format is not None and file_format.type_names and not any(map(file_format.converts, selected)):
        raise ConfigurationError("types needs a CSV artifact: JSON files have no types")
    is_bucket = isinstance(directory, Bucket)
    if is_bucket and durability is not None:
        raise ConfigurationError("durability is for directories: a complete object is always durable")
    options = DownloadOptions(
        overwrite=overwrite,
        sha256=digest is not None or is_bucket,
        durable=durability is not None,
        require_verification=require_verification,
        max_size=max_size,
        partial_index=PartialIndex() if resume and not is_bucket else None,
        segments=segments,
        file_format=file_format,
    )
    return DownloadPlan(
        directory=None if isinstance(directory, Bucket) else parse_directory(directory),
        artifacts=selected,
        concurrency=concurrency,
        options=options,
        on_progress=on_progress,
        dry_run=dry_run,
    )


def _check_value(name: str, value: str | None, allowed: str) -> None:
    if value not in (None, allowed):
        raise ConfigurationError(f"{name} must be {allowed!r} or None, not {value!r}")


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise ConfigurationError(f"{name} must be 1 or more, not {value}")
