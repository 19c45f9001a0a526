"""The rows of a download."""

from __future__ import annotations

from typing import Any

import pytest

from packagex_async import Artifact, DownloadReport, LinkExpiredError, ProgressEvent, ProgressKind
from packagex_async.cli.display.live.transfers import (
    MAX_ARTIFACT_ROWS,
    TransferRows,
    format_seconds,
    retry_note,
    speed_details,
)
from tests.cli.support import ManualClock


def event(kind: ProgressKind, number: int = 1, **fields: Any) -> ProgressEvent:
    """Return an event of the CSV file of the export with this number."""
    return ProgressEvent(kind=kind, export_id=f"exp_{number}", artifact=Artifact.CSV, **fields)


def test_number_of_rows_is_limited() -> None:
    """A further artifact gets the row of a finished one. Each byte counts once."""
    transfers = TransferRows(exports=MAX_ARTIFACT_ROWS + 1, clock=ManualClock())

    def labels() -> list[str]:
        return [row.label for row in transfers.rows()]

    for number in range(MAX_ARTIFACT_ROWS + 1):
        transfers.on_progress(event(ProgressKind.STARTED, number, total=4096))
    assert labels() == ["total", *(f"exp_{number}" for number in range(MAX_ARTIFACT_ROWS))]
    transfers.on_progress(event(ProgressKind.ADVANCED, MAX_ARTIFACT_ROWS, received=1024, total=4096))
    transfers.on_progress(event(ProgressKind.FINISHED, 0, received=4096, total=4096))
    transfers.on_progress(event(ProgressKind.FAILED, 1, received=0))
    assert labels()[1:3] == ["exp_2", "exp_3"]
    assert labels()[-1] == f"exp_{MAX_ARTIFACT_ROWS}"
    transfers.on_report(DownloadReport(export_id="exp_0"))
    total, *_, last = transfers.rows()
    assert total.amount == f"5.0 KiB/{4 * MAX_ARTIFACT_ROWS}.0 KiB"
    assert (last.amount, last.fraction, last.suffix) == ("1.0 KiB/4.0 KiB", 0.25, " csv")


def test_estimated_total_is_marked() -> None:
    """The size of an export that was not started is unknown."""
    transfers = TransferRows(exports=2, clock=ManualClock())
    transfers.on_progress(event(ProgressKind.STARTED, total=1024))
    assert transfers.rows()[0].amount == "0 B/~2.0 KiB"


def test_delay_is_counted_down() -> None:
    """The row shows the seconds until the next attempt."""
    clock = ManualClock()
    transfers = TransferRows(exports=1, clock=clock)
    transfers.on_progress(event(ProgressKind.RETRYING, delay=12.0))
    assert transfers.rows()[1].details == ("retry in 12 s",)
    clock.now += 7
    assert transfers.rows()[1].details == ("retry in 5 s",)
    clock.now += 7
    assert transfers.rows()[1].details == ("retry",)


def test_retry_note() -> None:
    """The first attempt has none. A renewed URL is not a failed attempt."""
    assert retry_note(event(ProgressKind.ADVANCED), 0) == ""
    assert retry_note(event(ProgressKind.ADVANCED, attempt=3), 0) == "attempt 3"
    expired = LinkExpiredError("expired", export_id="exp_1", artifact=Artifact.CSV)
    assert retry_note(event(ProgressKind.RETRYING, delay=0.0, error=expired), 0) == "URL renewed"


@pytest.mark.parametrize("total", [10**19, 10**400, -1, 0])
def test_invalid_total_counts_as_unknown(total: int) -> None:
    """A server can send any number."""
    transfers = TransferRows(exports=1, clock=ManualClock())
    for kind in (ProgressKind.STARTED, ProgressKind.ADVANCED):
        transfers.on_progress(event(kind, received=5, total=total))
    row = transfers.rows()[1]
    assert (row.amount, row.fraction) == ("5 B", None)


def test_speed_and_remaining_time() -> None:
    """Each is shown as far as it is known."""
    assert speed_details(None, None) == speed_details(0.0, None) == ()
    assert speed_details(2048.0, None) == ("2.0 KiB/s",)
    assert speed_details(2048.0, 61.5) == ("1:01 left", "2.0 KiB/s")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.9, "0:59"), (61, "1:01"), (3661, "1:01:01"), (1e99, "277777:46:40")],
)
def test_format_of_seconds(seconds: float, text: str) -> None:
    """It is that of a clock."""
    assert format_seconds(seconds) == text
