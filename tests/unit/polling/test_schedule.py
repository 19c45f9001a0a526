"""Polling intervals, the time limit, and the expiry of exports."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async import ConfigurationError, Export, ExportFailedError, ExportStatus, ExportTimedOutError
from packagex_async._api.statuses import failure_error
from packagex_async._polling.schedule import (
    MAX_INTERVAL,
    PollSchedule,
    check_timeout,
    is_expired,
    timeout_from,
)
from tests.support import FakeClock

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def intervals(jitter_fraction: float, count: int, timeout: float | None = None) -> list[float]:
    schedule = PollSchedule(FakeClock(jitter_fraction=jitter_fraction), timeout)
    return [schedule.next_interval() for _ in range(count)]


def test_intervals_grow_to_the_maximum() -> None:
    """Without jitter each interval is 1.5 times the previous one, up to 30 seconds."""
    assert intervals(1.0, 4) == [1.0, 1.5, 2.25, 3.375]
    assert intervals(1.0, 100)[-1] == MAX_INTERVAL == 30.0


def test_intervals_have_jitter() -> None:
    """The minimum is half of the interval."""
    assert intervals(0.0, 3) == [0.5, 0.75, 1.125]


@given(jitter_fraction=st.floats(0, 1), timeout=st.floats(0.01, 100_000))
def test_intervals_end_at_the_time_limit(jitter_fraction: float, timeout: float) -> None:
    """The last interval is shortened."""
    clock = FakeClock(now=0.0, jitter_fraction=jitter_fraction)
    schedule = PollSchedule(clock, timeout)
    while schedule.remaining:
        interval = schedule.next_interval()
        assert 0 < interval <= MAX_INTERVAL
        clock.now += interval
    assert clock.now == pytest.approx(min(timeout, 86_400))


def test_default_time_limit_is_24_hours() -> None:
    """The API deletes an export at that age."""
    clock = FakeClock()
    schedule = PollSchedule(clock, None)
    assert schedule.remaining == 86_400
    clock.now += 90_000
    assert schedule.remaining == 0


@pytest.mark.parametrize(
    ("created", "served", "expected"),
    [
        (NOON, NOON + timedelta(hours=24), True),
        (NOON, NOON + timedelta(hours=23, minutes=59), False),
        (NOON, None, False),
        (None, NOON, False),
    ],
)
def test_age_is_measured_with_the_server_time(
    created: datetime | None, served: datetime | None, expected: bool
) -> None:
    """The local clock may be wrong. Without a server time the export has not expired."""
    assert is_expired(Export(id="exp_1", created_at=created), served) is expected


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
def test_unknown_status_is_not_a_failure(status: ExportStatus | None, kind: type[object]) -> None:
    """Only `failed` and `timed_out` are failures."""
    assert type(failure_error(Export(id="exp_1", status=status))) is kind


@pytest.mark.parametrize(("wait", "timeout"), [(True, None), (False, None), (5, 5), (0.5, 0.5)])
def test_timeout_in_the_wait_parameter(wait: float, timeout: float | None) -> None:
    """A bool means no timeout, although it is an `int`, too."""
    assert timeout_from(wait) == timeout


@pytest.mark.parametrize("wait", [0, -1, math.nan, math.inf, "10", None])
def test_invalid_wait_parameter(wait: Any) -> None:
    """The error shows the value."""
    with pytest.raises(ConfigurationError, match=f"a number of seconds above 0, not {wait!r}"):
        timeout_from(wait)


@pytest.mark.parametrize("timeout", [0, -1, math.nan, True, "10"])
def test_invalid_timeout(timeout: Any) -> None:
    """The error shows the value."""
    with pytest.raises(
        ConfigurationError, match=f"timeout must be more than 0 seconds, or None, not {timeout!r}"
    ):
        check_timeout(timeout)


@pytest.mark.parametrize("timeout", [None, 0.001, 10**400, math.inf])
def test_valid_timeout(timeout: float | None) -> None:
    """There is no maximum."""
    check_timeout(timeout)
