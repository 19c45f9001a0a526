"""The state that all operations of a client share."""

from __future__ import annotations

from packagex_async import RetryPolicy
from packagex_async.testing import Emulator
from tests.support import FakeClock, open_exports


async def test_each_operation_has_its_own_retry_state(server: Emulator) -> None:
    """With the policy and the clock of the client."""
    clock, policy = FakeClock(), RetryPolicy(attempts=2)
    async with open_exports(clock, server, policy=policy) as exports:
        first, second = exports._context.retries(), exports._context.retries()
    assert first.next_delay() is not None
    assert first.next_delay() is None
    assert second.failures == 0
    assert (second.policy, second._clock) == (policy, clock)
