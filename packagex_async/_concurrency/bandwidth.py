"""A limit for the bytes per second that all transfers of a client receive together."""

from __future__ import annotations

from packagex_async.retry import Clock

_BURST_TIME = 0.1
"""Seconds whose bytes may be received at once, because a sleep may take longer than requested."""

_READS_PER_SECOND = 20
_MAX_READ_SIZE = 256 * 1024


class BandwidthLimiter:
    """A token bucket: each read reserves bytes, in the order of the requests, and waits until they are due.

    Args:
        rate: The maximum rate in bytes per second.
        clock: The source of time.

    Attributes:
        read_size: The maximum number of bytes of one read.
    """

    def __init__(self, rate: float, clock: Clock) -> None:
        self.read_size: int = max(1, min(int(rate / _READS_PER_SECOND), _MAX_READ_SIZE))
        self._rate = rate
        self._clock = clock
        self._due = clock.monotonic()

    async def acquire(self) -> int:
        """Wait until a read is allowed.

        Returns:
            The maximum number of bytes of the read. The caller must `release` those that it does not receive.
        """
        now = self._clock.monotonic()
        due = max(self._due, now - _BURST_TIME)
        self._due = due + self.read_size / self._rate
        if due > now:
            try:
                await self._clock.sleep(due - now)
            except BaseException:
                self.release(self.read_size)
                raise
        return self.read_size

    def release(self, size: int) -> None:
        """Return `size` reserved bytes that were not received."""
        self._due -= size / self._rate
