"""Detection of transfers that are too slow."""

from __future__ import annotations

MIN_RATE = 1024
"""Bytes per second. A slower transfer counts as stalled."""


class StallDetector:
    """Measures the rate of a transfer over windows of waiting time.

    Only the time spent waiting for bytes counts, not the time to process them.

    Args:
        window: Seconds of waiting after which the rate is checked.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._waited = 0.0
        self._received = 0

    def record(self, waited: float, received: int) -> bool:
        """Record a read; return whether the transfer was too slow over a whole window.

        Args:
            waited: Seconds that the read has waited.
            received: The number of bytes that it returned.
        """
        self._waited += waited
        self._received += received
        if self._waited < self._window:
            return False
        is_stalled = self._received < MIN_RATE * self._waited
        self._waited, self._received = 0.0, 0
        return is_stalled
