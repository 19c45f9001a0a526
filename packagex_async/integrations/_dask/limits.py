"""The division of limits among workers, and the throttling that all workers follow."""

from __future__ import annotations

from collections.abc import Callable

from packagex_async._concurrency.limiter import AdaptiveLimiter
from packagex_async.integrations._dask.messages import KINDS, Kind

_NOT_HALVED = -1

OnThrottled = Callable[[int, float | None, bool], object]
"""Called with a generation, the seconds of a `Retry-After`, and whether the limit was halved."""


def divide(limit: int, count: int) -> list[int]:
    """Return the shares of `count` workers in a limit. Each of them is at least 1."""
    share, rest = divmod(limit, count)
    return [max(share + (index < rest), 1) for index in range(count)]


class Generations:
    """The number of times that the limits of all workers were halved, for each kind of server.

    Several workers are refused at the same time when there are too many requests. Only the first of them
    starts a new generation, and each worker halves its limit once per generation.
    """

    def __init__(self) -> None:
        self._numbers: dict[Kind, int] = dict.fromkeys(KINDS, 0)

    def number(self, kind: Kind) -> int:
        """Return the current generation."""
        return self._numbers[kind]

    def advance(self, kind: Kind, generation: int) -> bool:
        """Start the next generation if `generation` is the current one; return whether it was started."""
        is_current = generation == self._numbers[kind]
        self._numbers[kind] += is_current
        return is_current


class SharedLimiter:
    """The limiter of one worker, which reports refused requests, and follows those of other workers.

    Args:
        limiter: The limiter.
        report: Reports a refused request.

    Attributes:
        generation: The last generation that this worker knows.
    """

    def __init__(self, limiter: AdaptiveLimiter, report: OnThrottled) -> None:
        self.generation: int = 0
        self._limiter = limiter
        self._report = report
        self._halved_in = _NOT_HALVED
        limiter.notify = self._on_throttled

    def resize(self, limit: int) -> None:
        """Set the share of this worker in the limit."""
        self._limiter.resize(limit)

    def follow(self, generation: int, retry_after: float | None) -> None:
        """Slow down after a request of any worker was refused.

        Args:
            generation: The current generation. The limit is halved if it is new, unless this worker has
                halved it already because of an own request.
            retry_after: Seconds in which no request may start.
        """
        is_halved = generation > self.generation and self._halved_in < self.generation
        self.generation = max(generation, self.generation)
        self._limiter.on_throttled(retry_after, self._limiter.decreases if is_halved else _NOT_HALVED)

    def _on_throttled(self, retry_after: float | None, is_halved: bool) -> None:
        if is_halved:
            self._halved_in = self.generation
        if is_halved or retry_after is not None:
            self._report(self.generation, retry_after, is_halved)
