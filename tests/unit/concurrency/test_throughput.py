"""ConnectionScaler: whether more connections make a transfer faster."""

from __future__ import annotations

import pytest

from packagex_async._concurrency.throughput import ConnectionScaler
from packagex_async._concurrency.tuning import TransferTuning

MIB = 1024 * 1024
TUNING = TransferTuning()
FAST, GAIN, WORTH = TUNING.max_rate, TUNING.min_gain, TUNING.min_remaining_time
PROBE, SHARED_PROBE, SETTLING = TUNING.probe_time, TUNING.shared_probe_time, TUNING.settling_time
REMAINING = 1000 * MIB


def connections_after(
    scaler: ConnectionScaler, rate: float, seconds: float, *, active: int = 1, left: int = REMAINING
) -> int:
    """Return the recommended number of connections after receiving at `rate` for `seconds`."""
    scaler.connections(0.0, 0, left, active=active)
    return scaler.connections(seconds, int(rate * seconds), left, active=active)


def test_no_connection_is_added_before_the_first_measurement() -> None:
    """The throughput of the first connection is measured first."""
    assert connections_after(ConnectionScaler(8, TUNING), 4 * MIB, PROBE / 2) == 1
    assert connections_after(ConnectionScaler(8, TUNING), 4 * MIB, PROBE) == 8


def test_fast_connection_stays_alone() -> None:
    """More connections cannot exceed the throughput of the event loop."""
    assert connections_after(ConnectionScaler(8, TUNING), 1.01 * FAST, PROBE) == 1
    assert connections_after(ConnectionScaler(8, TUNING), 1.01 * FAST, 100 * PROBE) == 1


def test_artifacts_share_the_throughput_of_the_event_loop() -> None:
    """The sum over all artifacts is compared with the limit."""
    for sharing, expected in ((3, 8), (4, 1)):
        scaler = ConnectionScaler(8, TUNING)
        scaler.connections(0.0, 0, REMAINING, active=1, sharing=sharing)
        received = int(0.3 * FAST * SHARED_PROBE)
        assert scaler.connections(PROBE, 0, REMAINING, active=1, sharing=sharing) == 1
        assert scaler.connections(SHARED_PROBE, received, REMAINING, active=1, sharing=sharing) == expected


def test_no_connection_is_added_near_the_end() -> None:
    """New connections would start too late."""
    rate = 4 * MIB
    assert connections_after(ConnectionScaler(8, TUNING), rate, PROBE, left=int(0.99 * rate * WORTH)) == 1
    assert connections_after(ConnectionScaler(8, TUNING), rate, PROBE, left=int(1.01 * rate * WORTH)) == 8


def test_connection_that_becomes_slow_gets_further_connections() -> None:
    """Each measurement is compared with the limit again."""
    scaler = ConnectionScaler(8, TUNING)
    assert connections_after(scaler, 1.01 * FAST, PROBE) == 1
    assert scaler.connections(2 * PROBE, int(1.01 * FAST * PROBE), REMAINING, active=1) == 8


def test_bytes_expected_from_first_connection() -> None:
    """Zero until the connection is known to be slow."""
    scaler = ConnectionScaler(8, TUNING)
    assert scaler.received_alone(1.0) == 0
    assert connections_after(scaler, 4 * MIB, PROBE) == 8
    assert scaler.received_alone(0.5) == pytest.approx(2 * MIB, abs=2)


def test_faster_connections_stay() -> None:
    """They are evaluated once, after the settling time."""
    scaler = ConnectionScaler(8, TUNING)
    assert connections_after(scaler, 4 * MIB, PROBE) == 8
    assert connections_after(scaler, 1.01 * GAIN * 4 * MIB, SETTLING, active=3) == 8
    assert connections_after(scaler, 0, 100 * SETTLING, active=3) == 8


def test_connections_without_gain_are_closed() -> None:
    """The decision is final."""
    scaler = ConnectionScaler(8, TUNING)
    assert connections_after(scaler, 4 * MIB, PROBE) == 8
    assert connections_after(scaler, 0.99 * GAIN * 4 * MIB, SETTLING, active=3) == 1
    assert connections_after(scaler, 1, 100 * SETTLING, active=1) == 1


def test_evaluation_waits_for_settling_time() -> None:
    """Each added connection restarts the measurement; a single one is not evaluated."""
    scaler = ConnectionScaler(8, TUNING)
    assert connections_after(scaler, 4 * MIB, PROBE) == 8
    assert connections_after(scaler, 0, 100 * SETTLING, active=1) == 8
    for active in range(2, 8):
        assert connections_after(scaler, 0, SETTLING * 0.99, active=active) == 8
    assert connections_after(scaler, 0, SETTLING, active=8) == 1


def test_maximum_number_of_connections() -> None:
    """The maximum is respected."""
    assert connections_after(ConnectionScaler(1, TUNING), 1, PROBE) == 1
    assert connections_after(ConnectionScaler(3, TUNING), 1, PROBE) == 3
