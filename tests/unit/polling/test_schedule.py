"""When an export is looked at again, and what a look means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async import Export, ExportFailedError, ExportStatus, ExportTimedOutError
from packagex_async._api.statuses import failure_error
from packagex_async._polling.schedule import INTERVAL_MAX, PollSchedule, outlived
from tests.support import FakeClock

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def intervals(dice: float, count: int, timeout: float | None = None) -> list[float]:
    waiting = PollSchedule(FakeClock(dice=dice), timeout)
    return [waiting.next_interval() for _ in range(count)]


def test_intervals_grow_up_to_their_cap() -> None:
    """With the dice at their highest: by half each time, never above half a minute."""
    assert intervals(1.0, 4) == [1.0, 1.5, 2.25, 3.375]
    assert intervals(1.0, 100)[-1] == INTERVAL_MAX == 30.0


def test_intervals_are_jittered_over_their_upper_half() -> None:
    """A crowd is spread, and nobody looks again at once."""
    assert intervals(0.0, 3) == [0.5, 0.75, 1.125]


@given(dice=st.floats(0, 1), timeout=st.floats(0.01, 100_000))
def test_the_intervals_of_a_wait_fill_its_time_and_no_more(dice: float, timeout: float) -> None:
    """The last one is cut where the time ends."""
    clock = FakeClock(now=0.0, dice=dice)
    waiting = PollSchedule(clock, timeout)
    while waiting.left:
        interval = waiting.next_interval()
        assert 0 < interval <= INTERVAL_MAX
        clock.now += interval
    assert clock.now == pytest.approx(min(timeout, 86_400))


def test_without_a_timeout_an_export_is_waited_for_as_long_as_it_lives() -> None:
    """Which is 24 hours."""
    clock = FakeClock()
    waiting = PollSchedule(clock, None)
    assert waiting.left == 86_400
    clock.now += 90_000
    assert waiting.left == 0


@pytest.mark.parametrize(
    ("created", "served", "expected"),
    [
        (NOON, NOON + timedelta(hours=24), True),
        (NOON, NOON + timedelta(hours=23, minutes=59), False),
        (NOON, None, False),
        (None, NOON, False),
    ],
)
def test_an_age_is_told_by_the_clock_of_the_server(
    created: datetime | None, served: datetime | None, expected: bool
) -> None:
    """Where it is told at all; a clock that is wrong here has no say."""
    assert outlived(Export(id="exp_1", created_at=created), served) is expected


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (ExportStatus.FAILED, ExportFailedError),
        (ExportStatus.TIMED_OUT, ExportTimedOutError),
        (ExportStatus.QUEUED, type(None)),
        (ExportStatus.COMPLETED, type(None)),
        (ExportStatus("paused"), type(None)),
        (None, type(None)),
    ],
)
def test_only_what_is_known_to_have_failed_has_failed(
    status: ExportStatus | None, kind: type[object]
) -> None:
    """A status of tomorrow is none of today's failures."""
    assert type(failure_error(Export(id="exp_1", status=status))) is kind
