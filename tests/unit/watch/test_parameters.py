"""The checks of the parameters of a watch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from packagex_async import Export, ExportStatus
from packagex_async._watch.parameters import final_export_filter, parse_interval


@pytest.mark.parametrize("interval", [0.001, 1, 86400.0])
def test_interval(interval: float) -> None:
    """Any finite number of seconds above 0 is valid."""
    assert parse_interval(interval) == interval


def test_filter() -> None:
    """An export has to have one of the statuses, and a creation date in the range."""
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    failed = Export(id="exp_1", status=ExportStatus.FAILED, created_at=noon)
    assert final_export_filter(None, None, None)(failed)
    assert not final_export_filter("completed,queued", None, None)(failed)
    assert final_export_filter("failed", noon, None)(failed)
    assert not final_export_filter(None, noon + timedelta(seconds=1), None)(failed)
