"""Detection of transfers that are too slow over a whole window."""

from __future__ import annotations

from packagex_async._transport.stall_detector import MIN_RATE, StallDetector


def test_slow_window_is_a_stall() -> None:
    """Even if bytes arrive regularly."""
    detector = StallDetector(window=10)
    assert [detector.record(1, 10) for _ in range(10)] == [False] * 9 + [True]


def test_pause_is_not_a_stall_if_enough_bytes_arrive() -> None:
    """After a window, both counts start at zero."""
    detector = StallDetector(window=10)
    assert not detector.record(9, 11 * MIN_RATE)
    assert not detector.record(2, 1)
    assert not detector.record(9, 1)
    assert detector.record(2, 1)


def test_trap_12_only_waiting_time_counts() -> None:
    """A slow disk of the client is not a stall of the server."""
    detector = StallDetector(window=10)
    assert not any(detector.record(0.0, 1) for _ in range(10_000))
