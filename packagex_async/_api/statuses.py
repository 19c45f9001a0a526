"""The meaning of an export's status for downloads."""

from __future__ import annotations

from packagex_async._utils.redaction import sanitize
from packagex_async.errors import (
    ExportFailedError,
    ExportGoneError,
    ExportNotReadyError,
    ExportStateError,
    ExportTimedOutError,
)
from packagex_async.models import Export, ExportStatus

FINAL_STATUSES: frozenset[str] = frozenset(
    (ExportStatus.COMPLETED, ExportStatus.FAILED, ExportStatus.TIMED_OUT)
)
"""The statuses that do not change any more."""


def is_in_progress(export: Export) -> bool:
    """Return whether the platform still prepares the export. An unknown status counts as final."""
    return export.status in (ExportStatus.QUEUED, ExportStatus.PROCESSING)


def is_final(export: Export) -> bool:
    """Return whether the export is completed, failed or timed out. An unknown status may still change."""
    return export.status in FINAL_STATUSES


def failure_error(export: Export) -> ExportStateError | None:
    """Return the error for an export that will never be completed; `None` for any other export."""
    match export.status:
        case ExportStatus.FAILED:
            text = f"{_describe(export)}: the platform could not prepare it"
            return ExportFailedError(text, export_id=export.id)
        case ExportStatus.TIMED_OUT:
            text = f"{_describe(export)}: the platform gave up preparing it"
            return ExportTimedOutError(text, export_id=export.id)
        case _:
            return None


def is_downloadable(export: Export) -> bool:
    """Return whether the status of the export allows a download."""
    return not is_in_progress(export) and failure_error(export) is None


def export_gone_error(export_id: str) -> ExportGoneError:
    """Return the error for an export that no longer exists."""
    reason = "exports are deleted 24 hours after creation"
    return ExportGoneError(f"export {sanitize(export_id)} no longer exists: {reason}", export_id=export_id)


def check_downloadable(export: Export) -> Export:
    """Return the export, if its status allows a download.

    Raises:
        ExportStateError: The export is not completed, or has failed (see the subclasses).
    """
    if is_in_progress(export):
        raise ExportNotReadyError(
            f"{_describe(export)}: download it when it is completed", export_id=export.id
        )
    if (error := failure_error(export)) is not None:
        raise error
    return export


def _describe(export: Export) -> str:
    return f"export {sanitize(export.id)} has the status {export.status}"
