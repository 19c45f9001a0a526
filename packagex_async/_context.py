"""What a client works with: connections, threads, running operations, a policy, a clock and a budget."""

from __future__ import annotations

import attrs

from packagex_async._concurrency.limiter import Budget
from packagex_async._concurrency.operations import Operations
from packagex_async._download.attempts import Tries
from packagex_async._files.executor import Disk
from packagex_async._transport.http_client import Http
from packagex_async.retry import Clock, Retries, RetryPolicy


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Tools:
    """What every transfer of a client works with."""

    http: Http
    disk: Disk
    operations: Operations
    policy: RetryPolicy
    clock: Clock
    stall_timeout: float
    budget: Budget

    def retries(self) -> Retries:
        """The tries of an operation that begins."""
        return Retries(self.policy, self.clock)

    def tries(self) -> Tries:
        """The tries of a transfer that begins."""
        return Tries(self.retries(), self.stall_timeout)
