"""Waiting for one export: intervals, time limit, and every way it can end."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from aioresponses import aioresponses

from packagex_async import (
    AsyncExports,
    AsyncPackageX,
    ConfigurationError,
    Export,
    ExportFailedError,
    ExportGoneError,
    ExportStateError,
    ExportStatus,
    ExportTimedOutError,
    NotFoundError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    WaitTimeoutError,
)
from packagex_async._polling import schedule
from packagex_async.testing import (
    Emulator,
    Garbage,
    Life,
    Refuse,
    Stall,
    Status,
)
from tests.fake_time import clock, exports, server
from tests.support import FakeClock, open_exports
from tests.time_limits import LIMITED

__all__ = ["clock", "exports", "server"]

URL = "https://api.packagex.io/v1/exports"
DAY = 86_400


async def test_wait_returns_the_completed_export(
    server: Emulator, exports: AsyncExports, clock: FakeClock
) -> None:
    """The intervals grow, each status change is reported once, and the export has URLs."""
    created = await exports.create("contact")
    changes: list[Export] = []
    export = await exports.wait(created.id, on_change=changes.append)
    assert [export.status for export in changes] == ["queued", "processing", "completed"]
    assert (export, export.status) == (changes[-1], ExportStatus.COMPLETED)
    assert export.csv_url is not None
    assert clock.sleeps == sorted(clock.sleeps)
    assert sum(clock.sleeps) == clock.now - server.exports[0].created_at
    assert len(server.requests) == 2 + len(clock.sleeps)


async def test_status_of_the_given_export_is_no_change(exports: AsyncExports) -> None:
    """`on_change` is not called for the status that the caller already knows."""
    changes: list[Export] = []
    await exports.wait(await exports.create("contact"), on_change=changes.append)
    assert [export.status for export in changes] == ["processing", "completed"]


async def test_completed_export_is_returned_at_once(
    server: Emulator, exports: AsyncExports, clock: FakeClock
) -> None:
    """One request is enough, even with a tiny timeout."""
    stored = server.add_export(rows=1)
    assert (await exports.wait(stored.id, timeout=0.001)).id == stored.id
    assert (clock.sleeps, len(server.requests)) == ([], 1)


@pytest.mark.parametrize(
    ("outcome", "kind"), [("failed", ExportFailedError), ("timed_out", ExportTimedOutError)]
)
async def test_failed_export_raises_an_error(
    server: Emulator, exports: AsyncExports, outcome: str, kind: type[ExportStateError]
) -> None:
    """The error has the id and the reason. `on_change` is called first."""
    server.life = Life(outcome=outcome)
    changes: list[Export] = []
    created = await exports.create("contact")
    with pytest.raises(kind, match=f"export {created.id} has the status {outcome}") as caught:
        await exports.wait(created, on_change=changes.append)
    assert caught.value.export_id == created.id
    assert changes[-1].status == outcome


async def test_unknown_status_is_polled_again(server: Emulator, exports: AsyncExports) -> None:
    """It may be followed by a known status."""
    server.life = Life(outcome="paused")

    def complete(export: Export) -> None:
        changes.append(str(export.status))
        if export.status == ExportStatus("paused"):
            server.update_export(export.id, status="completed")

    changes: list[str] = []
    await exports.wait(await exports.create("contact"), on_change=complete)
    assert changes == ["processing", "paused", "completed"]


async def test_timeout_raises_an_error_after_a_last_request(
    server: Emulator, exports: AsyncExports, clock: FakeClock
) -> None:
    """The error is also a TimeoutError; it has the id and the last status."""
    server.life = Life(processing=math.inf)
    created = await exports.create("contact")
    message = f"export {created.id} is still processing after 42.5 seconds"
    with pytest.raises(WaitTimeoutError, match=message) as caught:
        await exports.wait(created, timeout=42.5)
    assert isinstance(caught.value, TimeoutError)
    assert (caught.value.export_id, caught.value.status) == (created.id, "processing")
    assert sum(clock.sleeps) == pytest.approx(42.5)
    assert server.requests[-1].at == clock.now


@pytest.mark.parametrize("timeout", [math.inf, 1e300, 10**400])
async def test_long_timeout_is_limited_to_24_hours(
    server: Emulator, exports: AsyncExports, clock: FakeClock, timeout: float
) -> None:
    """The API deletes an export at that age, so a longer timeout has no effect."""
    created = await exports.create("contact")
    assert (await exports.wait(created, timeout=timeout)).id == created.id
    server.life = Life(processing=math.inf)
    server.now = clock.time
    created = await exports.create("contact")
    with pytest.raises(ExportGoneError):
        await exports.wait(created, timeout=timeout)


async def test_timeout_limits_each_request(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait also ends in time if the API does not respond."""
    monkeypatch.setattr(schedule, "MIN_REQUEST_TIMEOUT", 0.01)
    stored = server.add_export(rows=1)
    server.inject(Stall(0, on="api"), times=None)
    async with server.client() as px:
        with pytest.raises(WaitTimeoutError, match=r"is still without a status after 0\.05 seconds"):
            await px.exports.wait(stored.id, timeout=0.05)


@pytest.mark.usefixtures("limits")
async def test_request_timeout_within_the_wait_is_raised(server: Emulator) -> None:
    """It is handled by the retry policy, as for every request."""
    stored = server.add_export(rows=1)
    server.inject(Stall(0, on="api"), times=None)
    async with server.client(retry=RetryPolicy(attempts=1), **LIMITED) as px:
        with pytest.raises(RequestTimeoutError):
            await px.exports.wait(stored.id, timeout=60)


async def test_trap_14_temporary_failures_are_retried(
    server: Emulator, exports: AsyncExports, clock: FakeClock
) -> None:
    """The retry policy of the client applies, with `Retry-After`."""
    created = await exports.create("contact")
    server.inject(Status(429, retry_after="7", on="api"))
    server.inject(Refuse(on="api"))
    server.inject(Garbage(b'{"status": 503}'))
    await exports.wait(created)
    assert clock.sleeps[:3] == [7.5, 1.0, 2.0]


async def test_permanent_failure_is_raised(server: Emulator, exports: AsyncExports) -> None:
    """A second call can wait for the same export."""
    created = await exports.create("contact")
    server.inject(Status(503, on="api"), times=5)
    with pytest.raises(ServerError):
        await exports.wait(created)
    assert (await exports.wait(created)).status == ExportStatus.COMPLETED


async def test_deleted_export_is_gone(server: Emulator, exports: AsyncExports) -> None:
    """This applies if it existed at an earlier request, or was given as an `Export`."""
    created = await exports.create("contact")
    with pytest.raises(ExportGoneError, match=f"export {created.id} no longer exists"):
        await exports.wait(created.id, on_change=lambda export: server.delete_export(export.id))
    with pytest.raises(ExportGoneError):
        await exports.wait(created)


async def test_unknown_id_is_not_found(exports: AsyncExports) -> None:
    """Such an export may never have existed."""
    with pytest.raises(NotFoundError):
        await exports.wait("exp_unknown")


async def test_wait_without_timeout_ends_when_the_export_is_deleted(
    server: Emulator, exports: AsyncExports, clock: FakeClock
) -> None:
    """The API deletes it at the age of 24 hours."""
    server.life = Life(queued=math.inf)
    created = await exports.create("contact")
    clock.now += DAY - 100
    with pytest.raises(ExportGoneError):
        await exports.wait(created)
    assert sum(clock.sleeps) >= 100
    assert clock.now - server.requests[0].at <= DAY + 30


async def test_expired_export_ends_the_wait(api: aioresponses) -> None:
    """The server time decides, independent of the local clock and the timeout."""
    answer = {"id": "exp_1", "status": "queued", "created_at": "2026-01-01T00:00:00Z"}
    headers = {"Date": "Fri, 02 Jan 2026 00:00:00 GMT"}
    api.get(f"{URL}/exp_1?include_csv=true&include_json=true", payload=answer, headers=headers)
    async with AsyncPackageX("px_key") as px:
        with pytest.raises(ExportGoneError, match="export exp_1 is still queued after 24 hours"):
            await px.exports.wait("exp_1", timeout=60)


async def test_wait_ends_after_24_hours_of_the_local_clock(
    clock: FakeClock,
) -> None:
    """This applies if the server time does not advance."""

    def advance_one_day(_: Export) -> None:
        clock.now += DAY

    async with Emulator(populate=False, now=lambda: 1_000_000_000.0) as server:
        stored = server.add_export(status="queued")
        async with open_exports(clock, server) as exports:
            with pytest.raises(ExportGoneError, match="is still queued after 24 hours"):
                await exports.wait(stored.id, on_change=advance_one_day)
    assert len(server.requests) == 1


@pytest.mark.parametrize("timeout", [0, -1, math.nan, "10", True])
async def test_invalid_timeout_is_a_configuration_error(
    server: Emulator, exports: AsyncExports, timeout: Any
) -> None:
    """The call raises it before any request."""
    message = f"timeout must be more than 0 seconds, or None, not {timeout!r}"
    with pytest.raises(ConfigurationError, match=message):
        await exports.wait("exp_1", timeout=timeout)
    with pytest.raises(ConfigurationError, match=message):
        await exports.export_and_download("contact", "exports", timeout=timeout)
    with pytest.raises(ConfigurationError, match="export_id"):
        await exports.wait("")
    assert server.requests == []


async def test_cancelled_wait_leaves_no_task(packagex_emulator: Emulator) -> None:
    """The emulator runs in another event loop."""
    stored = packagex_emulator.add_export(status="processing")
    polled = asyncio.Event()
    async with packagex_emulator.client() as px:
        before = asyncio.all_tasks()
        waiting = asyncio.create_task(px.exports.wait(stored.id, on_change=lambda _: polled.set()))
        await polled.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert asyncio.all_tasks() == before
