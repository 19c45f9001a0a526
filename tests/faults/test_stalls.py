"""Stalls: silence and crawling end a try, not the transfer; waiting for a turn or the disk is neither."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from packagex_async import ProgressEvent, RetryPolicy, StalledError, StorageError
from packagex_async.testing import Trickle
from tests.faults.responses import altered_response, truncated_response
from tests.faults.scenario import TIMEOUT_SECONDS, DownloadScenario, RawDownloadScenario
from tests.faults.storage_server import ConnectionEnd, RawResponse
from tests.support import FakeClock, exports_on

AFTER = 30_000
SOON = 0.1
TWICE = RetryPolicy(attempts=2, wait_initial=0)


async def test_no_head_for_a_while(raw: RawDownloadScenario) -> None:
    """A host that accepts and keeps silent is left, and asked again."""
    raw.options["stall_timeout"] = SOON
    raw.respond_with(lambda _, __: ConnectionEnd.STALL)
    await raw.download()


async def test_no_head_for_ever(raw: RawDownloadScenario) -> None:
    """It ends in an error."""
    raw.options |= {"stall_timeout": SOON, "retry": TWICE}
    raw.always_respond_with(lambda _, __: ConnectionEnd.STALL)
    await raw.download_error(StalledError)


async def test_half_a_head_for_ever(raw: RawDownloadScenario) -> None:
    """A head that never ends is silence, too."""
    half = RawResponse(status="200 OK", headers={}, body=b"", ending=ConnectionEnd.STALL, head_complete=False)
    raw.options |= {"stall_timeout": SOON, "retry": TWICE}
    raw.always_respond_with(lambda _, __: half)
    await raw.download_error(StalledError)


@pytest.mark.one_connection
async def test_silence_within_the_body(raw: RawDownloadScenario) -> None:
    """The transfer goes on from the byte behind which it fell silent."""
    raw.options["stall_timeout"] = SOON
    raw.respond_with(truncated_response(AFTER, ConnectionEnd.STALL))
    assert (await raw.download()).resumed


async def test_silence_behind_a_few_bytes_for_ever(raw: RawDownloadScenario) -> None:
    """A host that sends a little more with every try is given up: that is no progress but a crawl."""
    raw.options |= {"stall_timeout": SOON, "retry": TWICE}
    raw.always_respond_with(truncated_response(10, ConnectionEnd.STALL))
    await raw.download_error(StalledError)


async def test_a_trickle_for_ever(scenario: DownloadScenario) -> None:
    """A byte now and then keeps no transfer alive; it ends in an error."""
    scenario.options |= {"stall_timeout": SOON, "retry": TWICE}
    scenario.server.inject(Trickle(block=1, delay=0.01), times=None)
    await scenario.download_error(StalledError)


async def test_a_crawl_and_a_recovery(scenario: DownloadScenario) -> None:
    """A host that has crawled for a window is asked again, and what came slowly is kept."""
    scenario.options["stall_timeout"] = SOON
    scenario.server.inject(Trickle(block=1, delay=0.01))
    assert (await scenario.download()).resumed


@pytest.mark.one_connection
async def test_a_slow_disk_is_no_stall(scenario: DownloadScenario) -> None:
    """Hours that pass while the bytes are dealt with are not the host's."""
    clock = FakeClock()

    def slow(_: ProgressEvent) -> None:
        clock.now += 3600

    async with asyncio.timeout(TIMEOUT_SECONDS), exports_on(clock, scenario.server, timeout=5.0) as exports:
        report = await exports.download(
            scenario.export_id, scenario.folder, artifacts="csv", on_progress=slow, digest="sha256"
        )
    scenario.check({}, report)
    assert report.files["csv"].attempts == 1


async def test_sixty_downloads_on_two_connections(scenario: DownloadScenario) -> None:
    """They wait for their turn longer than a stall may last, and none of them times out."""
    # 13 blocks each, whichever way they come: 60 files take 0.78 seconds on two connections, or more.
    scenario.server.inject(Trickle(block=8_000, delay=0.002), times=None)
    folders = [scenario.folder / str(number) for number in range(60)]
    async with aiohttp.TCPConnector(limit=2) as connector:
        scenario.options |= {
            "stall_timeout": 0.5,
            "retry": RetryPolicy(attempts=1),
            "connector": connector,
        }
        async with scenario.client() as px:
            downloads = (
                px.exports.download(scenario.export_id, folder, artifacts="csv", digest="sha256")
                for folder in folders
            )
            reports = await asyncio.gather(*downloads)
    for scenario.folder, report in zip(folders, reports, strict=True):
        scenario.check({}, report)


async def test_a_silent_refusal(raw: RawDownloadScenario) -> None:
    """A refusal whose text never comes is still a refusal."""
    raw.options |= {"stall_timeout": SOON, "retry": TWICE}
    raw.always_respond_with(
        altered_response(status="503 Service Unavailable", truncate_at=0, ending=ConnectionEnd.STALL)
    )
    assert (await raw.download_error(StorageError)).status == 503
