"""What an export's status means to who wants to download it."""

from __future__ import annotations

from packagex_async.errors import ExportFailedError, ExportNotReadyError, ExportTimedOutError
from packagex_async.models import Export, ExportStatus


def is_under_way(export: Export) -> bool:
    """Whether the platform is still at it; a status unknown today is taken for final."""
    return export.status in (ExportStatus.QUEUED, ExportStatus.PROCESSING)


def downloadable(export: Export) -> Export:
    """The export, if it is in a state to be downloaded.

    Raises:
        ExportStateError: It is not (see its subclasses).
    """
    about = f"export {export.id} is {export.status}"
    match export.status:
        case ExportStatus.QUEUED | ExportStatus.PROCESSING:
            raise ExportNotReadyError(f"{about}: download it when it is completed", export_id=export.id)
        case ExportStatus.FAILED:
            raise ExportFailedError(f"{about}: the platform could not prepare it", export_id=export.id)
        case ExportStatus.TIMED_OUT:
            raise ExportTimedOutError(f"{about}: the platform gave up preparing it", export_id=export.id)
        case _:
            return export
