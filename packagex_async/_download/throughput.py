"""Estimates whether more connections transfer one artifact faster. Pure arithmetic."""

from __future__ import annotations

import attrs

LARGE = 16 * 1024 * 1024
"""Bytes from which an artifact may use several connections."""

PROBE = 0.05
"""Seconds for which the throughput of the first connection is measured."""

SHARED_PROBE = 0.2
"""The same while several artifacts are transferred, because one of them may have to wait for its turn."""

WORTH = 1.0
"""Seconds that the rest must take on one connection before others are worth it."""

FAST = 256 * 1024 * 1024
"""Bytes per second above which the event loop is the limit, and not the network."""

SETTLING = 1.0
"""Seconds after which several connections are compared with one."""

GAIN = 1.25
"""The factor by which several connections have to be faster than one."""


@attrs.define(eq=False, repr=False)
class ConnectionScaler:
    """Measures one transfer, and decides how many connections it should use.

    Args:
        max_connections: The upper limit.
    """

    max_connections: int
    _since: tuple[float, int] | None = attrs.field(init=False, default=None)
    _active: int = attrs.field(init=False, default=1)
    _single_rate: float | None = attrs.field(init=False, default=None)
    _is_settled: bool = attrs.field(init=False, default=False)

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
            self._judge((received - self._since[1]) / seconds, remaining, sharing)
        return 1 if self._single_rate is None else self.max_connections

    def received_alone(self, seconds: float) -> int:
        """Return the bytes that the first connection received in `seconds` while it was alone."""
        return int((self._single_rate or 0.0) * seconds)

    def _measuring_time(self, sharing: int) -> float:
        if self._single_rate is not None:
            return SETTLING
        return PROBE if sharing <= 1 else SHARED_PROBE

    def _judge(self, rate: float, remaining: int, sharing: int) -> None:
        if self._single_rate is None:
            if rate * sharing < FAST and remaining > rate * WORTH:
                self._single_rate = rate
        elif self._active > 1 and not self._is_settled:
            self._is_settled = True
            if rate < GAIN * self._single_rate:
                self.max_connections = 1
