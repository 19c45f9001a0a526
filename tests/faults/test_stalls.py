"""Stalls: lack of progress ends the attempt; waiting for a connection or the disk is not a stall."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from packagex_async import (
    DownloadGroupError,
    DownloadReport,
    ProgressEvent,
    RetryPolicy,
    StalledError,
    StorageError,
)
from packagex_async.testing import Trickle
from tests.faults.responses import altered_response, truncated_response
from tests.faults.scenario import TIMEOUT_SECONDS, DownloadScenario, RawDownloadScenario
from tests.faults.storage_server import ConnectionEnd, RawResponse, yield_to_event_loop
from tests.support import NO_BACKOFF, FakeClock, open_exports
from tests.time_limits import LIMITED, TimeLimits

pytestmark = pytest.mark.usefixtures("limits")

AFTER = 30_000
TWO_ATTEMPTS = RetryPolicy(attempts=2, wait_initial=0)


async def test_no_response_once(raw: RawDownloadScenario) -> None:
    """A host that accepts the connection and sends nothing is asked again."""
    raw.options |= LIMITED
    raw.respond_with(lambda _, __: ConnectionEnd.STALL)
    await raw.download()


async def test_no_response_always(raw: RawDownloadScenario) -> None:
    """The artifact fails with `StalledError`."""
    raw.options |= {**LIMITED, "retry": TWO_ATTEMPTS}
    raw.always_respond_with(lambda _, __: ConnectionEnd.STALL)
    await raw.download_error(StalledError)


async def test_incomplete_head_always(raw: RawDownloadScenario) -> None:
    """A head that never ends counts as a stall."""
    incomplete = RawResponse(
        status="200 OK", headers={}, body=b"", ending=ConnectionEnd.STALL, head_complete=False
    )
    raw.options |= {**LIMITED, "retry": TWO_ATTEMPTS}
    raw.always_respond_with(lambda _, __: incomplete)
    await raw.download_error(StalledError)


@pytest.mark.one_connection
async def test_stall_within_body(raw: RawDownloadScenario) -> None:
    """The transfer resumes from the last byte before the stall."""
    raw.options |= LIMITED
    raw.respond_with(truncated_response(AFTER, ConnectionEnd.STALL))
    assert (await raw.download()).resumed


async def test_few_bytes_per_attempt(raw: RawDownloadScenario) -> None:
    """A host that sends a few more bytes in each attempt does not count as progress."""
    raw.options |= {**LIMITED, "retry": TWO_ATTEMPTS}
    raw.always_respond_with(truncated_response(10, ConnectionEnd.STALL))
    await raw.download_error(StalledError)


async def test_slow_body_always(scenario: DownloadScenario) -> None:
    """Single bytes now and then do not count as progress: the artifact fails."""
    scenario.server.inject(Trickle(block=1, delay=0.01), times=None)
    report = await download_slowly(scenario, TWO_ATTEMPTS)
    assert type(report.failures["csv"]) is StalledError


async def test_slow_body_once(scenario: DownloadScenario) -> None:
    """The bytes of a slow attempt are kept, and the next attempt resumes."""
    scenario.server.inject(Trickle(block=1, delay=0.01))
    report = await download_slowly(scenario, NO_BACKOFF)
    assert report.files["csv"].resumed


async def download_slowly(scenario: DownloadScenario, policy: RetryPolicy) -> DownloadReport:
    """Download the CSV with a clock on which each wait for bytes takes five seconds."""
    async with (
        asyncio.timeout(TIMEOUT_SECONDS),
        open_exports(TickingClock(), scenario.server, timeout=20, policy=policy) as exports,
    ):
        try:
            report = await exports.download(
                scenario.export_id, scenario.folder, artifacts="csv", digest="sha256"
            )
        except DownloadGroupError as error:
            report = error.report
    scenario.check({}, report)
    return report


class TickingClock(FakeClock):
    """A clock that advances by five seconds between two calls."""

    def monotonic(self) -> float:
        self.now += 5
        return self.now


@pytest.mark.one_connection
async def test_slow_disk_is_not_a_stall(scenario: DownloadScenario) -> None:
    """Time spent on processing the bytes does not count as a stall."""
    clock = FakeClock()

    def slow(_: ProgressEvent) -> None:
        clock.now += 3600

    async with asyncio.timeout(TIMEOUT_SECONDS), open_exports(clock, scenario.server, timeout=5.0) as exports:
        report = await exports.download(
            scenario.export_id, scenario.folder, artifacts="csv", on_progress=slow, digest="sha256"
        )
    scenario.check({}, report)
    assert report.files["csv"].attempts == 1


async def test_twenty_downloads_on_one_connection(raw: RawDownloadScenario, limits: TimeLimits) -> None:
    """Downloads may wait for a free connection longer than `stall_timeout`."""
    folders = [raw.folder / str(number) for number in range(20)]
    raw.storage.hold_first_response()
    async with aiohttp.TCPConnector(limit=1) as connector:
        raw.options |= {**LIMITED, "retry": RetryPolicy(attempts=1), "connector": connector}
        async with raw.client() as px:
            export = await px.exports.retrieve(raw.export_id, include_csv=True, include_json=True)
            downloads = asyncio.gather(
                *(px.exports.download(export, folder, artifacts="csv", digest="sha256") for folder in folders)
            )
            await limits.wait_until_running()
            await yield_to_event_loop()
            await limits.wait_until_running()
            # Only the response that is held has a limit.
            assert limits.count() == 1
            raw.storage.release_first_response()
            reports = await downloads
    for raw.folder, report in zip(folders, reports, strict=True):
        raw.check({}, report)


async def test_refusal_without_text(raw: RawDownloadScenario) -> None:
    """An error status counts, even if its body never arrives."""
    raw.options |= {**LIMITED, "retry": TWO_ATTEMPTS}
    raw.always_respond_with(
        altered_response(status="503 Service Unavailable", truncate_at=0, ending=ConnectionEnd.STALL)
    )
    assert (await raw.download_error(StorageError)).status == 503
