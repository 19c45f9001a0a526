"""What crawls over a whole window stands still; what pauses does not."""

from __future__ import annotations

from packagex_async._transport.stall_detector import MIN_RATE, StallDetector


def test_a_crawl_over_a_whole_window_is_a_stall() -> None:
    """However regularly its drops fall."""
    pace = StallDetector(window=10)
    assert [pace.stalled(1, 10) for _ in range(10)] == [False] * 9 + [True]


def test_a_pause_is_none() -> None:
    """Bytes enough within the window outweigh it, and the next window begins anew."""
    pace = StallDetector(window=10)
    assert not pace.stalled(9, 11 * MIN_RATE)
    assert not pace.stalled(2, 1)
    assert not pace.stalled(9, 1)
    assert pace.stalled(2, 1)


def test_trap_12_time_spent_elsewhere_is_free() -> None:
    """Only waiting for bytes counts: a slow disk is none of the server's fault."""
    pace = StallDetector(window=10)
    assert not any(pace.stalled(0.0, 1) for _ in range(10_000))
