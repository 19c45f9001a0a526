"""The limit of the bytes per second."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from packagex_async import AsyncPackageX, ConfigurationError
from packagex_async._concurrency.bandwidth import BandwidthLimiter
from packagex_async.testing import Emulator
from tests.support import FakeClock


@pytest.mark.parametrize("rate", [1, 1024, 10_000_000, 10**9])
async def test_rate_is_not_exceeded(rate: int) -> None:
    """Apart from a short burst at the beginning. A read is never empty."""
    clock = FakeClock()
    limiter = BandwidthLimiter(rate, clock)
    started_at, received = clock.now, 0
    for _ in range(200):
        received += await limiter.acquire()
    assert limiter.read_size >= 1
    elapsed = clock.now - started_at
    assert received - limiter.read_size <= rate * elapsed * 1.001
    assert received >= rate * elapsed * 0.999


async def test_released_bytes_are_available_again() -> None:
    """A read that receives nothing does not delay the next one."""
    clock = FakeClock()
    limiter = BandwidthLimiter(1000, clock)
    for _ in range(10):
        limiter.release(await limiter.acquire())
    assert clock.sleeps == []


async def test_cancelled_wait_reserves_nothing() -> None:
    """The next read waits no longer than before."""

    class StoppedClock(FakeClock):
        async def sleep(self, seconds: float) -> None:
            self.sleeps.append(seconds)
            await asyncio.Event().wait()

    clock = StoppedClock()
    limiter = BandwidthLimiter(1000, clock)
    await limiter.acquire()
    for _ in range(3):
        task = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert clock.sleeps == [pytest.approx(0.05)] * 3


async def test_limited_download_is_complete(server: Emulator, tmp_path: Path) -> None:
    """It uses small reads, and verifies the file as usual."""
    content = os.urandom(300_000)
    export = server.add_export(content={"csv": content})
    async with server.client(bandwidth_limit=50_000_000) as px:
        report = await px.exports.download(export.id, tmp_path)
    assert report.files["csv"].path.read_bytes() == content


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf"), True, "1M"])
def test_invalid_limit(limit: Any) -> None:
    """The message names the parameter."""
    with pytest.raises(ConfigurationError, match="bandwidth_limit must be"):
        AsyncPackageX("px_key", bandwidth_limit=limit)
