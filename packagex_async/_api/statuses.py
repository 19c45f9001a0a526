"""What an export's status means to who wants to download it."""

from __future__ import annotations

from packagex_async._utils.redaction import sanitize
from packagex_async.errors import (
    ExportFailedError,
    ExportNotReadyError,
    ExportStateError,
    ExportTimedOutError,
)
from packagex_async.models import Export, ExportStatus


def is_under_way(export: Export) -> bool:
    """Whether the platform is still at it; a status unknown today is taken for final."""
    return export.status in (ExportStatus.QUEUED, ExportStatus.PROCESSING)


def failure(export: Export) -> ExportStateError | None:
    """The error for an export that will never be completed."""
    about = _about(export)
    match export.status:
        case ExportStatus.FAILED:
            return ExportFailedError(f"{about}: the platform could not prepare it", export_id=export.id)
        case ExportStatus.TIMED_OUT:
            return ExportTimedOutError(f"{about}: the platform gave up preparing it", export_id=export.id)
        case _:
            return None


def downloadable(export: Export) -> Export:
    """The export, if it is in a state to be downloaded.

    Raises:
        ExportStateError: It is not (see its subclasses).
    """
    if is_under_way(export):
        raise ExportNotReadyError(f"{_about(export)}: download it when it is completed", export_id=export.id)
    if (reason := failure(export)) is not None:
        raise reason
    return export


def _about(export: Export) -> str:
    return f"export {sanitize(export.id)} is {export.status}"
