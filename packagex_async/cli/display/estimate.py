"""Estimates of a running download: its total in bytes, its speed, and the remaining time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import attrs

from packagex_async import Artifact, DownloadReport, ProgressEvent, ProgressKind

Clock = Callable[[], float]
"""Returns seconds that never decrease."""

SPEED_WINDOW = 8.0
"""The speed is the mean of this many seconds."""

MIN_MEASURED = 5.0
"""Seconds of a measured speed before a remaining time is estimated."""

_SAMPLE_INTERVAL = 0.25
"""Seconds between two samples. Bytes that arrive sooner are added to the last sample."""

_MAX_LENGTH = 10**18
"""The largest length that is used. A server may declare any number."""

_FINAL_EVENTS = (ProgressKind.KEPT, ProgressKind.FINISHED, ProgressKind.FAILED)


class SpeedMeter:
    """Measures the bytes per second of the last seconds.

    Args:
        clock: The source of time.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._bytes = 0
        self._started_at: float | None = None
        # The time and the bytes before it. The first sample is not younger than the window, if possible.
        self._samples: deque[tuple[float, int]] = deque()
        self._last_at = 0.0

    def add(self, size: int) -> None:
        """Record that `size` bytes arrived now. The measurement starts again after a long pause."""
        now = self._clock()
        if self._started_at is None or now - self._last_at > SPEED_WINDOW:
            self._samples.clear()
            self._started_at = now
        self._last_at = now
        if not self._samples or now - self._samples[-1][0] >= _SAMPLE_INTERVAL:
            self._samples.append((now, self._bytes))
            self._drop_old_samples(now)
        self._bytes += size

    @property
    def speed(self) -> float | None:
        """The bytes per second, or `None` if nothing was measured."""
        now = self._clock()
        self._drop_old_samples(now)
        if not self._samples or now <= self._samples[0][0]:
            return None
        if now - self._last_at > SPEED_WINDOW:
            return 0.0
        started_at, size = self._samples[0]
        return (self._bytes - size) / (now - started_at)

    def remaining(self, size: int) -> float | None:
        """Return the seconds that `size` bytes take, or `None` as long as that is unknown."""
        if self._started_at is None or self._clock() - self._started_at < MIN_MEASURED:
            return None
        speed = self.speed
        return size / speed if speed else None

    def _drop_old_samples(self, now: float) -> None:
        while len(self._samples) > 1 and self._samples[1][0] <= now - SPEED_WINDOW:
            self._samples.popleft()


@attrs.frozen
class _Transfer:
    """The bytes of an artifact: received, and its length if it is known."""

    received: int
    length: int | None


class DownloadEstimate:
    """Estimates the total of a download from its events.

    The total contains the lengths of the artifacts that were started. For exports that were not started, it
    contains the mean of the exports that were started. Bytes of earlier runs, in kept files and in partial
    files that are resumed, count as received, but not for the speed.

    Args:
        exports: The number of exports, if it is known.
        clock: The source of time.
    """

    def __init__(self, exports: int | None = None, clock: Clock = time.monotonic) -> None:
        self.exports = exports
        self._meter = SpeedMeter(clock)
        self._transfers: dict[str, dict[Artifact, _Transfer]] = {}
        self._finished_exports = self._finished_files = self._finished_bytes = 0

    def on_progress(self, event: ProgressEvent) -> None:
        """Add the bytes of an event."""
        transfers = self._transfers.setdefault(event.export_id, {})
        previous = transfers.get(event.artifact)
        if previous is not None and event.kind is ProgressKind.ADVANCED:
            self._meter.add(max(event.received - previous.received, 0))
        is_final = event.kind in _FINAL_EVENTS
        length = event.received if is_final else valid_length(event.total)
        transfers[event.artifact] = _Transfer(event.received, length)

    def on_report(self, report: DownloadReport) -> None:
        """Add the report of an export. It has no further events."""
        transfers = self._transfers.pop(report.export_id, {})
        self._finished_exports += 1
        self._finished_files += len(transfers)
        self._finished_bytes += sum(transfer.received for transfer in transfers.values())

    @property
    def received(self) -> int:
        """The bytes that are complete or were received so far."""
        return self._finished_bytes + sum(transfer.received for transfer in self._started())

    @property
    def total(self) -> int | None:
        """The total in bytes, or `None` if there is nothing to estimate it from."""
        if self.exports is None:
            return None
        started = self._finished_bytes
        for transfer in self._started():
            length = self._mean_length if transfer.length is None else transfer.length
            if length is None:
                return None
            started += max(transfer.received, length)
        if not self._not_started:
            return started
        count = self._finished_exports + len(self._transfers)
        return started + started * self._not_started // count if count else None

    @property
    def is_exact(self) -> bool:
        """Whether the total contains known lengths only."""
        return not self._not_started and all(transfer.length is not None for transfer in self._started())

    @property
    def speed(self) -> float | None:
        """The bytes per second during the last seconds, or `None` if nothing was received."""
        return self._meter.speed

    @property
    def remaining(self) -> float | None:
        """The remaining seconds, or `None` as long as they cannot be estimated."""
        total = self.total
        return None if total is None else self._meter.remaining(total - self.received)

    def _started(self) -> list[_Transfer]:
        return [transfer for transfers in self._transfers.values() for transfer in transfers.values()]

    @property
    def _not_started(self) -> int:
        return max((self.exports or 0) - self._finished_exports - len(self._transfers), 0)

    @property
    def _mean_length(self) -> int | None:
        """The mean length of the complete files of finished exports."""
        return self._finished_bytes // self._finished_files if self._finished_files else None


def valid_length(length: int | None) -> int | None:
    """Return a declared length, or `None` if it cannot be used."""
    return length if length is not None and 0 <= length <= _MAX_LENGTH else None
