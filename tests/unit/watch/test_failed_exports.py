"""Exports whose download has failed: when the next attempts are due, and when there are no more."""

from __future__ import annotations

import attrs
import pytest

from packagex_async import DownloadReport, Export, ExportFailedError, ExportGoneError, ServerError
from packagex_async._watch.failed_exports import MAX_STARTED, FailedExports
from tests.support import FakeClock

EXPORT = Export(id="exp_1", csv_url="https://storage.example/1")
SUCCESS = DownloadReport(export_id="exp_1", export=EXPORT)
FAILURE = DownloadReport(export_id="exp_1", export=EXPORT, error=ServerError("failed", status=500))


def is_listed(_: str) -> bool:
    return True


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (60.0, [0, 60, 120, 240, 480, 900, 900]),
        (1000.0, [0, 1000, 1000, 1000]),
        (0.5, [0, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]),
    ],
)
def test_intervals_grow(interval: float, expected: list[float]) -> None:
    """The first repetition is due at once. The maximum is 15 minutes, or the interval of polls."""
    clock = FakeClock(now=0)
    failed = FailedExports(clock, interval)
    for seconds in expected:
        failed.on_report(FAILURE)
        assert "exp_1" in failed
        if seconds:
            clock.now += seconds - 0.25
            assert failed.start_due(is_listed) == []
            clock.now += 0.25
        assert [export.id for export in failed.start_due(is_listed)] == ["exp_1"]
        clock.now += 10_000
        assert failed.start_due(is_listed) == []


def test_urls_are_removed() -> None:
    """The export is retrieved again."""
    failed = FailedExports(FakeClock(), 60)
    failed.on_report(FAILURE)
    (export,) = failed.start_due(is_listed)
    assert export.csv_url is None


@pytest.mark.parametrize(
    "report",
    [
        SUCCESS,
        attrs.evolve(FAILURE, error=ExportGoneError("deleted", export_id="exp_1")),
        attrs.evolve(FAILURE, error=ExportFailedError("failed", export_id="exp_1")),
        attrs.evolve(FAILURE, export=None),
    ],
    ids=["complete", "deleted", "failed on the platform", "without an export"],
)
def test_last_report(report: DownloadReport) -> None:
    """A download that is complete, or can never be, is not repeated."""
    failed = FailedExports(FakeClock(), 60)
    failed.on_report(report)
    assert len(failed) == 0
    failed.on_report(FAILURE)
    failed.on_report(report)
    assert len(failed) == 0
    assert failed.start_due(is_listed) == []


def test_exports_that_are_not_listed_any_more_are_removed() -> None:
    """The API may never respond with a 404 for them."""
    failed = FailedExports(FakeClock(), 60)
    failed.on_report(FAILURE)
    assert failed.start_due(lambda _: False) == []
    assert len(failed) == 0


def test_exports_of_one_poll_are_limited() -> None:
    """Those that are due first come first, and the others at the next polls."""
    clock = FakeClock()
    failed = FailedExports(clock, 60)
    ids = [f"exp_{number}" for number in range(MAX_STARTED + 2)]
    for export_id in reversed(ids):
        failed.on_report(attrs.evolve(FAILURE, export_id=export_id, export=Export(id=export_id)))
        clock.now += 1
    assert [export.id for export in failed.start_due(is_listed)] == ids[:1:-1]
    assert [export.id for export in failed.start_due(is_listed)] == ids[1::-1]
    assert failed.start_due(is_listed) == []
    assert len(failed) == len(ids)
