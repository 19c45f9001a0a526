"""Whether more connections bring an artifact any faster: arithmetic on how many bytes came by when."""

from __future__ import annotations

import attrs

LARGE = 16 * 1024 * 1024
"""Bytes from which an artifact may be worth more than one connection."""

PROBE = 0.05
"""Seconds for which the first connection is watched before others are thought of."""

SHARED_PROBE = 0.2
"""The same where several artifacts share what there is: one of them may have to wait for its turn."""

WORTH = 1.0
"""Seconds that it must need for the rest before others are worth it."""

FAST = 256 * 1024 * 1024
"""Bytes a second above which the event loop is the limit, and not the network."""

SETTLING = 1.0
"""Seconds after which several connections are compared with the one."""

GAIN = 1.25
"""By which factor they have to be faster together."""


@attrs.define(eq=False, repr=False)
class ConnectionScaler:
    """Watches one transfer, and tells how many connections it should have.

    Args:
        most: The most connections there may be.
    """

    most: int
    _since: tuple[float, int] | None = attrs.field(init=False, default=None)
    _working: int = attrs.field(init=False, default=1)
    _alone: float | None = attrs.field(init=False, default=None)
    _settled: bool = attrs.field(init=False, default=False)

    def connections(self, now: float, received: int, left: int, *, working: int, sharing: int = 1) -> int:
        """How many connections there should be.

        Args:
            now: The time in seconds.
            received: How many bytes have come by then.
            left: How many have not.
            working: How many connections bring bytes at present.
            sharing: How many there are for all artifacts; they share what the event loop can carry.
        """
        if self._since is None or working != self._working:
            self._since, self._working = (now, received), working
        seconds = now - self._since[0]
        if seconds >= self._patience(sharing):
            self._judge((received - self._since[1]) / seconds, left, sharing)
        return 1 if self._alone is None else self.most

    def carried(self, seconds: float) -> int:
        """How many bytes the first connection has brought in as many seconds while it was alone."""
        return int((self._alone or 0.0) * seconds)

    def _patience(self, sharing: int) -> float:
        if self._alone is not None:
            return SETTLING
        return PROBE if sharing <= 1 else SHARED_PROBE

    def _judge(self, rate: float, left: int, sharing: int) -> None:
        if self._alone is None:
            if rate * sharing < FAST and left > rate * WORTH:
                self._alone = rate
        elif self._working > 1 and not self._settled:
            self._settled = True
            if rate < GAIN * self._alone:
                self.most = 1
