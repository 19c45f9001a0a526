"""The meaning of an export's status for downloads."""

from __future__ import annotations

import pytest

from packagex_async import (
    Export,
    ExportFailedError,
    ExportNotReadyError,
    ExportStateError,
    ExportStatus,
    ExportTimedOutError,
)
from packagex_async._api.statuses import check_downloadable, failure_error, is_in_progress


def export(status: ExportStatus | None) -> Export:
    """Return an export with this status."""
    return Export(id="exp_1", status=status)


@pytest.mark.parametrize(
    ("status", "in_progress"),
    [
        (ExportStatus.QUEUED, True),
        (ExportStatus.PROCESSING, True),
        (ExportStatus.COMPLETED, False),
        (ExportStatus.FAILED, False),
        (ExportStatus.TIMED_OUT, False),
        (ExportStatus("paused"), False),
        (None, False),
    ],
)
def test_only_queued_and_processing_are_in_progress(status: ExportStatus | None, in_progress: bool) -> None:
    """An unknown status counts as final."""
    assert is_in_progress(export(status)) is in_progress


@pytest.mark.parametrize(
    ("status", "error_class", "message"),
    [
        (ExportStatus.QUEUED, ExportNotReadyError, "export exp_1 has the status queued: download it when"),
        (
            ExportStatus.PROCESSING,
            ExportNotReadyError,
            "export exp_1 has the status processing: download it when",
        ),
        (
            ExportStatus.FAILED,
            ExportFailedError,
            "export exp_1 has the status failed: the platform could not prepare it",
        ),
        (
            ExportStatus.TIMED_OUT,
            ExportTimedOutError,
            "export exp_1 has the status timed_out: the platform gave up",
        ),
    ],
)
def test_other_statuses_cannot_be_downloaded(
    status: ExportStatus, error_class: type[ExportStateError], message: str
) -> None:
    """Each one has its error class."""
    with pytest.raises(error_class, match=message):
        check_downloadable(export(status))


@pytest.mark.parametrize("status", [ExportStatus.COMPLETED, ExportStatus("paused"), None])
def test_completed_and_unknown_statuses_can_be_downloaded(status: ExportStatus | None) -> None:
    """The export is returned."""
    assert check_downloadable(export(status)) == export(status)
    assert failure_error(export(status)) is None


def test_export_in_progress_has_not_failed() -> None:
    """It may still be completed."""
    assert failure_error(export(ExportStatus.QUEUED)) is None
