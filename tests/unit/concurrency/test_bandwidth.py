"""The limit of the bytes per second."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from packagex_async import AsyncPackageX, ClientClosedError, ConfigurationError, ProgressEvent
from packagex_async._concurrency.bandwidth import BandwidthLimiter
from packagex_async.testing import Emulator
from tests.support import FakeClock, open_exports


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


async def test_slow_download(server: Emulator, tmp_path: Path) -> None:
    """1 KiB per second is not a stall, although it is the rate below which a transfer is stalled."""
    clock, content = FakeClock(), os.urandom(20 * 1024)
    export = server.add_export(content={"csv": content})
    async with open_exports(clock, server, timeout=5.0, bandwidth_limit=1024) as exports:
        started_at = clock.now
        report = await exports.download(export.id, tmp_path)
    (file,) = report.files
    assert (file.path.read_bytes(), file.attempts) == (content, 1)
    assert clock.now - started_at == pytest.approx(20, abs=0.2)


async def test_client_is_closed_during_a_limited_download(server: Emulator, tmp_path: Path) -> None:
    """The download ends at once, although its next bytes are due much later. Its partial file is kept."""
    export = server.add_export(content={"csv": os.urandom(300_000)})
    received = asyncio.Event()

    def on_progress(event: ProgressEvent) -> None:
        if event.received:
            received.set()

    async with server.client(bandwidth_limit=100) as px:
        task = asyncio.create_task(
            px.exports.download(export.id, tmp_path, resume=True, on_progress=on_progress)
        )
        await received.wait()
        await px.aclose()
        with pytest.raises(ClientClosedError):
            await task
    assert not (tmp_path / f"{export.id}.csv").exists()
    assert any(path.stat().st_size for path in tmp_path.iterdir())


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf"), True, "1M"])
def test_invalid_limit(limit: Any) -> None:
    """The message names the parameter."""
    with pytest.raises(ConfigurationError, match="bandwidth_limit must be"):
        AsyncPackageX("px_key", bandwidth_limit=limit)
