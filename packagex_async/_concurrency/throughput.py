"""Estimates whether more connections transfer one artifact faster. Pure arithmetic."""

from __future__ import annotations

from packagex_async._concurrency.tuning import TransferTuning


class ConnectionScaler:
    """Measures one transfer, and decides how many connections it should use.

    Args:
        max_connections: The upper limit.
        tuning: When connections are measured and compared.

    Attributes:
        connection_rate: The mean rate of one connection in bytes per second, or `None` before the first
            measurement.
    """

    def __init__(self, max_connections: int, tuning: TransferTuning) -> None:
        self.max_connections = max_connections
        self.connection_rate: float | None = None
        self._tuning = tuning
        self._since: tuple[float, int] | None = None
        self._active = 1
        self._single_rate: float | None = None
        self._is_settled = False

    def connections(self, now: float, received: int, remaining: int, *, active: int, sharing: int = 1) -> int:
        """Return the number of connections that should be used.

        Args:
            now: The time in seconds.
            received: The bytes received so far.
            remaining: The bytes still to be received.
            active: The connections that receive bytes at present.
            sharing: The connections of all artifacts. They share what the event loop can transfer.
        """
        if self._since is None or active != self._active:
            self._since, self._active = (now, received), active
        seconds = now - self._since[0]
        if seconds >= self._measuring_time(sharing):
            rate = (received - self._since[1]) / seconds
            self.connection_rate = rate / active
            self._judge(rate, remaining, sharing)
        return 1 if self._single_rate is None else self.max_connections

    def received_alone(self, seconds: float) -> int:
        """Return the bytes that the first connection received in `seconds` while it was alone."""
        return int((self._single_rate or 0.0) * seconds)

    def _measuring_time(self, sharing: int) -> float:
        if self._single_rate is not None:
            return self._tuning.settling_time
        return self._tuning.probe_time if sharing <= 1 else self._tuning.shared_probe_time

    def _judge(self, rate: float, remaining: int, sharing: int) -> None:
        if self._single_rate is None:
            is_slow = rate * sharing < self._tuning.max_rate
            if is_slow and remaining > rate * self._tuning.min_remaining_time:
                self._single_rate = rate
        elif self._active > 1 and not self._is_settled:
            self._is_settled = True
            if rate < self._tuning.min_gain * self._single_rate:
                self.max_connections = 1
