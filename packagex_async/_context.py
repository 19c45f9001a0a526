"""The state that all operations of one client share."""

from __future__ import annotations

import attrs

from packagex_async._concurrency.limiter import AdaptiveLimiter
from packagex_async._concurrency.operations import Operations
from packagex_async._concurrency.tuning import TransferTuning
from packagex_async._files.executor import FileExecutor
from packagex_async._transport.api_client import ApiClient
from packagex_async._transport.sessions import Sessions
from packagex_async._transport.storage_client import StorageClient
from packagex_async.retry import Clock, Retries, RetryPolicy


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ClientContext:
    """The state that all operations of one client share.

    Attributes:
        sessions: The aiohttp sessions, opened at the first request.
        api: Sends requests to the API.
        storage: Sends requests to storage hosts.
        disk: Runs blocking file operations in threads.
        operations: The running operations.
        policy: The retry policy.
        clock: The source of time.
        stall_timeout: Seconds without progress before a transfer is aborted.
        limiter: Limits concurrent requests to storage.
        tuning: The sizes, times and rates of transfers.
    """

    sessions: Sessions
    api: ApiClient
    storage: StorageClient
    disk: FileExecutor
    operations: Operations
    policy: RetryPolicy
    clock: Clock
    stall_timeout: float
    limiter: AdaptiveLimiter
    tuning: TransferTuning

    def retries(self) -> Retries:
        """Return the retry state of a new operation."""
        return Retries(self.policy, self.clock)
