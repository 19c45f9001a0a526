"""Whether more connections bring an artifact any faster."""

from __future__ import annotations

import pytest

from packagex_async._download.throughput import (
    FAST,
    GAIN,
    PROBE,
    SETTLING,
    SHARED_PROBE,
    WORTH,
    ConnectionScaler,
)

MIB = 1024 * 1024
LEFT = 1000 * MIB


def watched(gain: ConnectionScaler, rate: float, seconds: float, *, active: int = 1, left: int = LEFT) -> int:
    """What `gain` tells after it has watched bytes come at `rate` for `seconds`."""
    gain.connections(0.0, 0, left, active=active)
    return gain.connections(seconds, int(rate * seconds), left, active=active)


def test_the_first_connection_is_watched_for_a_while() -> None:
    """Nothing is known before."""
    assert watched(ConnectionScaler(8), 4 * MIB, PROBE / 2) == 1
    assert watched(ConnectionScaler(8), 4 * MIB, PROBE) == 8


def test_one_connection_that_is_as_fast_as_the_loop_stays_alone() -> None:
    """Another could bring nothing more."""
    assert watched(ConnectionScaler(8), 1.01 * FAST, PROBE) == 1
    assert watched(ConnectionScaler(8), 1.01 * FAST, 100 * PROBE) == 1


def test_several_artifacts_share_what_the_loop_can_carry() -> None:
    """Each for itself is slow, together they are not: more connections could bring nothing more."""
    for sharing, wanted in ((3, 8), (4, 1)):
        gain = ConnectionScaler(8)
        gain.connections(0.0, 0, LEFT, active=1, sharing=sharing)
        received = int(0.3 * FAST * SHARED_PROBE)
        assert gain.connections(PROBE, 0, LEFT, active=1, sharing=sharing) == 1
        assert gain.connections(SHARED_PROBE, received, LEFT, active=1, sharing=sharing) == wanted


def test_what_is_nearly_done_is_left_to_the_one_that_does_it() -> None:
    """The others would come too late."""
    rate = 4 * MIB
    assert watched(ConnectionScaler(8), rate, PROBE, left=int(0.99 * rate * WORTH)) == 1
    assert watched(ConnectionScaler(8), rate, PROBE, left=int(1.01 * rate * WORTH)) == 8


def test_one_that_turns_slow_is_helped_after_all() -> None:
    """What it has brought since the beginning counts, and each look is a new one."""
    gain = ConnectionScaler(8)
    assert watched(gain, 1.01 * FAST, PROBE) == 1
    assert gain.connections(2 * PROBE, int(1.01 * FAST * PROBE), LEFT, active=1) == 8


def test_what_the_first_connection_brings_in_some_time_is_told() -> None:
    """Nothing, as long as it is not known to be slow."""
    gain = ConnectionScaler(8)
    assert gain.received_alone(1.0) == 0
    assert watched(gain, 4 * MIB, PROBE) == 8
    assert gain.received_alone(0.5) == pytest.approx(2 * MIB, abs=2)


def test_several_that_are_faster_together_stay() -> None:
    """They are judged once, when they have settled."""
    gain = ConnectionScaler(8)
    assert watched(gain, 4 * MIB, PROBE) == 8
    assert watched(gain, 1.01 * GAIN * 4 * MIB, SETTLING, active=3) == 8
    assert watched(gain, 0, 100 * SETTLING, active=3) == 8


def test_several_that_are_no_faster_give_way_to_one() -> None:
    """For good."""
    gain = ConnectionScaler(8)
    assert watched(gain, 4 * MIB, PROBE) == 8
    assert watched(gain, 0.99 * GAIN * 4 * MIB, SETTLING, active=3) == 1
    assert watched(gain, 1, 100 * SETTLING, active=1) == 1


def test_they_are_not_judged_before_they_have_settled() -> None:
    """Each one more begins the watch anew; one alone, whose help has not come yet, is not judged at all."""
    gain = ConnectionScaler(8)
    assert watched(gain, 4 * MIB, PROBE) == 8
    assert watched(gain, 0, 100 * SETTLING, active=1) == 8
    for active in range(2, 8):
        assert watched(gain, 0, SETTLING * 0.99, active=active) == 8
    assert watched(gain, 0, SETTLING, active=8) == 1


def test_no_more_than_are_allowed() -> None:
    """One stays one."""
    assert watched(ConnectionScaler(1), 1, PROBE) == 1
    assert watched(ConnectionScaler(3), 1, PROBE) == 3
