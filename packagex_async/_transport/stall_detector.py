"""Whether bytes come fast enough, over windows of the time that was spent waiting for them."""

from __future__ import annotations

import attrs

MIN_RATE = 1024
"""Bytes a second; what comes slower over a whole window stands still."""


@attrs.define(eq=False, repr=False)
class StallDetector:
    """Counts what arrives against the time spent waiting for it; time spent elsewhere, as on a disk, is free.

    Args:
        window: Seconds over which a crawl is told from a pause.
    """

    window: float
    _waited: float = attrs.field(init=False, default=0.0)
    _received: int = attrs.field(init=False, default=0)

    def stalled(self, waited: float, received: int) -> bool:
        """Take note that `received` bytes came after `waited` seconds; whether a whole window was a crawl."""
        self._waited += waited
        self._received += received
        if self._waited < self.window:
            return False
        crawled = self._received < MIN_RATE * self._waited
        self._waited, self._received = 0.0, 0
        return crawled
