"""Stalls: silence and crawling end a try, not the transfer; waiting for a turn or the disk is neither."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from packagex_async import ProgressEvent, RetryPolicy, StalledError, StorageError
from packagex_async.testing import Trickle
from tests.faults.host import Answer, Ending
from tests.faults.plays import but, cut
from tests.faults.trial import PATIENCE, Raw, Trial
from tests.support import FakeClock, exports_on

AFTER = 30_000
SOON = 0.1
TWICE = RetryPolicy(attempts=2, wait_initial=0)


async def test_no_head_for_a_while(raw: Raw) -> None:
    """A host that accepts and keeps silent is left, and asked again."""
    raw.options["stall_timeout"] = SOON
    raw.plays(lambda _, __: Ending.HOLD)
    await raw.arrives()


async def test_no_head_for_ever(raw: Raw) -> None:
    """It ends in an error."""
    raw.options |= {"stall_timeout": SOON, "retry": TWICE}
    raw.always(lambda _, __: Ending.HOLD)
    await raw.fails(StalledError)


async def test_half_a_head_for_ever(raw: Raw) -> None:
    """A head that never ends is silence, too."""
    half = Answer(status="200 OK", headers={}, body=b"", ending=Ending.HOLD, finished=False)
    raw.options |= {"stall_timeout": SOON, "retry": TWICE}
    raw.always(lambda _, __: half)
    await raw.fails(StalledError)


@pytest.mark.one_connection
async def test_silence_within_the_body(raw: Raw) -> None:
    """The transfer goes on from the byte behind which it fell silent."""
    raw.options["stall_timeout"] = SOON
    raw.plays(cut(AFTER, Ending.HOLD))
    assert (await raw.arrives()).resumed


async def test_silence_behind_a_few_bytes_for_ever(raw: Raw) -> None:
    """A host that sends a little more with every try is given up: that is no progress but a crawl."""
    raw.options |= {"stall_timeout": SOON, "retry": TWICE}
    raw.always(cut(10, Ending.HOLD))
    await raw.fails(StalledError)


async def test_a_trickle_for_ever(trial: Trial) -> None:
    """A byte now and then keeps no transfer alive; it ends in an error."""
    trial.options |= {"stall_timeout": SOON, "retry": TWICE}
    trial.server.inject(Trickle(block=1, delay=0.01), times=None)
    await trial.fails(StalledError)


async def test_a_crawl_and_a_recovery(trial: Trial) -> None:
    """A host that has crawled for a window is asked again, and what came slowly is kept."""
    trial.options["stall_timeout"] = SOON
    trial.server.inject(Trickle(block=1, delay=0.01))
    assert (await trial.arrives()).resumed


@pytest.mark.one_connection
async def test_a_slow_disk_is_no_stall(trial: Trial) -> None:
    """Hours that pass while the bytes are dealt with are not the host's."""
    clock = FakeClock()

    def slow(_: ProgressEvent) -> None:
        clock.now += 3600

    async with asyncio.timeout(PATIENCE), exports_on(clock, trial.server, timeout=5.0) as exports:
        report = await exports.download(
            trial.export_id, trial.folder, artifacts="csv", on_progress=slow, digest="sha256"
        )
    trial.check({}, report)
    assert report.files["csv"].attempts == 1


async def test_sixty_downloads_on_two_connections(trial: Trial) -> None:
    """They wait for their turn longer than a stall may last, and none of them times out."""
    # 13 blocks each, whichever way they come: 60 files take 0.78 seconds on two connections, or more.
    trial.server.inject(Trickle(block=8_000, delay=0.002), times=None)
    folders = [trial.folder / str(number) for number in range(60)]
    async with aiohttp.TCPConnector(limit=2) as connector:
        trial.options |= {
            "stall_timeout": 0.5,
            "retry": RetryPolicy(attempts=1),
            "connector": connector,
        }
        async with trial.client() as px:
            downloads = (
                px.exports.download(trial.export_id, folder, artifacts="csv", digest="sha256")
                for folder in folders
            )
            reports = await asyncio.gather(*downloads)
    for trial.folder, report in zip(folders, reports, strict=True):
        trial.check({}, report)


async def test_a_silent_refusal(raw: Raw) -> None:
    """A refusal whose text never comes is still a refusal."""
    raw.options |= {"stall_timeout": SOON, "retry": TWICE}
    raw.always(but(status="503 Service Unavailable", cut=0, ending=Ending.HOLD))
    assert (await raw.fails(StorageError)).status == 503
