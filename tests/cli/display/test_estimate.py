"""Estimates of the total, the speed and the remaining time, on simulated events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async import Artifact, DownloadReport, ProgressEvent, ProgressKind
from packagex_async.cli.display.estimate import (
    MIN_MEASURED,
    SPEED_WINDOW,
    DownloadEstimate,
    SpeedMeter,
    valid_length,
)
from tests.cli.support import ManualClock

MIB = 2**20


def event(kind: ProgressKind, number: int, received: int = 0, total: int | None = None) -> ProgressEvent:
    """Return an event of the CSV file of the export with this number."""
    return ProgressEvent(
        kind=kind, export_id=f"exp_{number}", artifact=Artifact.CSV, received=received, total=total
    )


@attrs.define
class Run:
    """Simulates a run that downloads one file after another, and records each estimate.

    Attributes:
        sizes: The sizes of the files; each export has one.
        resumed: Bytes of the first file that an earlier run has received.
        has_lengths: Whether the server declares lengths.
    """

    sizes: Sequence[int]
    resumed: int = 0
    has_lengths: bool = True
    clock: ManualClock = attrs.field(factory=ManualClock)
    estimate: DownloadEstimate = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.estimate = DownloadEstimate(len(self.sizes), self.clock)

    def steps(self, speeds: Iterator[float], interval: float = 0.1) -> list[tuple[float, float | None]]:
        """Return the time and the remaining time at each step; `speeds` is in bytes per second."""
        started_at = self.clock.now
        shown: list[tuple[float, float | None]] = []
        for number, size in enumerate(self.sizes):
            total = size if self.has_lengths else None
            received = self.resumed if number == 0 else 0
            kind = ProgressKind.ADVANCED if received else ProgressKind.STARTED
            self.estimate.on_progress(event(kind, number, received, total))
            while received < size:
                received = min(size, received + int(next(speeds) * interval))
                self.clock.now += interval
                self.estimate.on_progress(event(ProgressKind.ADVANCED, number, received, total))
                shown.append((self.clock.now - started_at, self.estimate.remaining))
            self.estimate.on_progress(event(ProgressKind.FINISHED, number, size, total))
            self.estimate.on_report(DownloadReport(export_id=f"exp_{number}"))
        return shown


def constant(speed: float) -> Iterator[float]:
    """Yield the same speed at each step."""
    while True:
        yield speed


def halving(speed: float, steps: int) -> Iterator[float]:
    """Yield a speed that halves after a number of steps."""
    for _ in range(steps):
        yield speed
    yield from constant(speed / 2)


def check_factor_of_two(shown: list[tuple[float, float | None]], slack: float = 0.5) -> None:
    """Nothing is shown before 5 s. Later estimates are within a factor of two, or `slack` seconds."""
    end = shown[-1][0]
    for at, remaining in shown:
        if at < MIN_MEASURED - 0.2:
            assert remaining is None
        elif at > MIN_MEASURED + 0.2:
            assert remaining is not None
            actual = end - at
            assert actual / 2 - slack <= remaining <= actual * 2 + slack, (at, remaining, actual)


@pytest.mark.parametrize(
    "sizes",
    [
        [60 * MIB],
        [MIB] * 60,
        [1 * MIB, 2 * MIB, 3 * MIB] * 12,
        [MIB // 2, 4 * MIB, MIB] * 10,
    ],
    ids=["one file", "equal files", "different files", "small and large files"],
)
def test_remaining_time_at_a_constant_speed(sizes: list[int]) -> None:
    """The sizes of files that were not started are estimated."""
    check_factor_of_two(Run(sizes).steps(constant(2 * MIB)))


def test_remaining_time_if_the_speed_halves() -> None:
    """The speed of the last seconds counts, not the mean since the start."""
    check_factor_of_two(Run([200 * MIB]).steps(halving(4 * MIB, steps=200)))


def test_remaining_time_of_a_resumed_file() -> None:
    """Bytes of an earlier run are complete, but were not received in this run."""
    run = Run([100 * MIB, 40 * MIB], resumed=90 * MIB)
    shown = run.steps(constant(2 * MIB))
    # After the first file, both exports are known to the estimate.
    check_factor_of_two([step for step in shown if step[0] > 5.5])
    assert shown[20][1] is None


def test_remaining_time_without_lengths() -> None:
    """It needs at least one complete file."""
    shown = Run([4 * MIB] * 20, has_lengths=False).steps(constant(MIB))
    assert all(remaining is None for at, remaining in shown if at < 4)
    check_factor_of_two(shown)


@given(
    sizes=st.lists(st.integers(0, 10 * MIB), min_size=1, max_size=20),
    finished=st.integers(0, 20),
    has_lengths=st.booleans(),
)
def test_total_is_never_less_than_the_received_bytes(
    sizes: list[int], finished: int, has_lengths: bool
) -> None:
    """When everything is finished, the total is exact."""
    estimate = DownloadEstimate(len(sizes), ManualClock())
    for number, size in enumerate(sizes):
        total = size if has_lengths else None
        estimate.on_progress(event(ProgressKind.STARTED, number, 0, total))
        estimate.on_progress(event(ProgressKind.ADVANCED, number, size // 2, total))
        assert estimate.total is None or estimate.total >= estimate.received
        if number < finished or number == len(sizes) - 1:
            estimate.on_progress(event(ProgressKind.FINISHED, number, size, total))
            estimate.on_report(DownloadReport(export_id=f"exp_{number}"))
            assert estimate.total is None or estimate.total >= estimate.received
    for number, size in list(enumerate(sizes))[finished:-1]:
        estimate.on_progress(event(ProgressKind.FINISHED, number, size, size))
        estimate.on_report(DownloadReport(export_id=f"exp_{number}"))
    assert estimate.total == estimate.received == sum(sizes)
    assert estimate.is_exact


def test_mean_of_started_exports_is_the_estimate_of_the_others() -> None:
    """Before the first export, and without the number of exports, there is no total."""
    estimate = DownloadEstimate(4, ManualClock())
    assert DownloadEstimate(4, ManualClock()).total is None
    estimate.on_progress(event(ProgressKind.STARTED, 1, total=100))
    estimate.on_progress(event(ProgressKind.STARTED, 2, total=300))
    assert (estimate.total, estimate.is_exact) == (800, False)
    # An export that failed on the platform has no bytes.
    estimate.on_report(DownloadReport(export_id="exp_3"))
    assert estimate.total == 400 + 400 // 3
    estimate.exports = None
    assert estimate.total is estimate.remaining is None


def test_kept_and_resumed_bytes_are_not_a_speed() -> None:
    """A run that keeps thousands of files has no speed."""
    clock = ManualClock()
    estimate = DownloadEstimate(3, clock)
    estimate.on_progress(event(ProgressKind.KEPT, 1, 10**9, 10**9))
    clock.now += 1
    estimate.on_progress(event(ProgressKind.ADVANCED, 2, 10**9, 2 * 10**9))
    clock.now += 1
    assert (estimate.speed, estimate.received) == (None, 2 * 10**9)
    estimate.on_progress(event(ProgressKind.ADVANCED, 2, 10**9 + 500, 2 * 10**9))
    clock.now += 1
    assert estimate.speed == 500


def test_second_attempt_from_zero() -> None:
    """The bytes received before do not count any more, and every byte that arrives counts for the speed."""
    clock = ManualClock()
    estimate = DownloadEstimate(1, clock)
    estimate.on_progress(event(ProgressKind.STARTED, 1, total=1000))
    for received in (600, 0, 400):
        estimate.on_progress(event(ProgressKind.ADVANCED, 1, received, 1000))
    clock.now += 2
    assert (estimate.received, estimate.total, estimate.speed) == (400, 1000, 500)


def test_failed_artifact_has_nothing_left() -> None:
    """Its received bytes remain in the total."""
    estimate = DownloadEstimate(1, ManualClock())
    estimate.on_progress(event(ProgressKind.ADVANCED, 1, 400, 1000))
    estimate.on_progress(event(ProgressKind.FAILED, 1, 400, 1000))
    assert (estimate.received, estimate.total) == (400, 400)


def test_speed_is_that_of_the_last_seconds() -> None:
    """A stalled transfer has the speed 0 and no remaining time. After a pause, both are measured again."""
    clock = ManualClock()
    meter = SpeedMeter(clock)
    assert (meter.speed, meter.remaining(5)) == (None, None)
    for _ in range(100):
        meter.add(100)
        clock.now += 0.1
    assert meter.speed == pytest.approx(1000, rel=0.05)
    assert meter.remaining(5000) == pytest.approx(5, rel=0.05)
    for _ in range(100):
        meter.add(10)
        clock.now += 0.1
    assert meter.speed == pytest.approx(100, rel=0.05)
    clock.now += SPEED_WINDOW + 1
    assert (meter.speed, meter.remaining(5000)) == (0.0, None)
    for _ in range(10):
        meter.add(100)
        clock.now += 0.1
    assert meter.speed == pytest.approx(1000, rel=0.05)
    assert meter.remaining(5000) is None


def test_number_of_samples_is_bounded() -> None:
    """Bytes that arrive at nearly the same time are one sample."""
    clock = ManualClock()
    meter = SpeedMeter(clock)
    for _ in range(10_000):
        meter.add(1)
        clock.now += 0.01
    assert len(meter._samples) < 40


@pytest.mark.parametrize(("length", "valid"), [(None, None), (-1, None), (10**19, None), (0, 0), (7, 7)])
def test_invalid_length_counts_as_unknown(length: int | None, valid: int | None) -> None:
    """A server can send any number."""
    assert valid_length(length) == valid
