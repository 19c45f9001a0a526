"""Failures of targets, and their public errors."""

from __future__ import annotations

from packagex_async._buckets.bucket_error import BucketError, bucket_destination_error
from packagex_async._files.disk_errors import DiskError, destination_error
from packagex_async._files.operations import FATAL_ERRNOS
from packagex_async.errors import DestinationError
from packagex_async.models import Artifact

TargetError = (DiskError, BucketError)
"""The errors of targets."""


def target_error(
    error: DiskError | BucketError, *, export_id: str, artifact: Artifact, purpose: str = "written"
) -> DestinationError:
    """Return the public error of an artifact for a failure of its target."""
    if isinstance(error, DiskError):
        return destination_error(error, export_id=export_id, artifact=artifact, purpose=purpose)
    return bucket_destination_error(error, export_id=export_id, artifact=artifact, purpose=purpose)


def is_fatal(failure: BaseException) -> bool:
    """Return whether all other downloads to the same directory or bucket would fail as well."""
    cause = failure.__cause__
    return isinstance(failure, DestinationError) and (
        failure.errno in FATAL_ERRNOS or (isinstance(cause, BucketError) and cause.affects_all)
    )
