"""Concurrency: concurrent downloads do not corrupt, stop or delay each other."""

from __future__ import annotations

import asyncio
import threading

import aiohttp
import pytest

from packagex_async import Artifact, ChecksumError, ProgressEvent, ProgressKind, StorageError
from packagex_async.testing import Cut, Stall, Status, WrongHash
from tests.faults.scenario import DownloadScenario


@pytest.mark.hashes
async def test_one_of_four_fails(scenario: DownloadScenario) -> None:
    """Three artifacts succeed, and the report in the error contains all four."""
    scenario.server.inject(WrongHash(artifact="csv"), times=None)
    report = await scenario.run(artifacts=None)
    assert report.files.keys() == ("json", "csv_error", "csv_sanitized")
    assert isinstance(report.failures["csv"], ChecksumError)


@pytest.mark.one_connection
async def test_four_interrupted_artifacts(scenario: DownloadScenario) -> None:
    """Each artifact resumes from its own last byte."""
    for after, artifact in enumerate(Artifact, start=1):
        scenario.server.inject(Cut(after * 10_000, artifact=artifact))
    report = await scenario.run(artifacts=None)
    assert [file.resumed for file in report.files] == [True] * 4
    ranges = {
        request.headers.get("Range") for request in scenario.server.requests if request.host == "storage"
    }
    assert ranges == {None, *(f"bytes={after}0000-" for after in range(1, 5))}


async def test_all_four_fail(scenario: DownloadScenario) -> None:
    """Each artifact fails for its own reason, and the report contains all reasons."""
    for status, artifact in zip((400, 401, 402, 405), Artifact, strict=True):
        scenario.server.inject(Status(status, on="storage", artifact=artifact))
    report = await scenario.run(artifacts=None)
    statuses = [failure.status for failure in report.failures if isinstance(failure, StorageError)]
    assert statuses == [400, 401, 402, 405]


async def test_one_stalled_artifact(scenario: DownloadScenario) -> None:
    """The other artifacts do not wait for a stalled one."""
    scenario.options["stall_timeout"] = 0.6
    scenario.server.inject(Stall(10, artifact="json"))
    ends: list[str] = []

    def note(event: ProgressEvent) -> None:
        if event.kind is ProgressKind.FINISHED:
            ends.append(event.artifact)

    await scenario.run(artifacts=None, on_progress=note)
    assert ends[-1] == "json"


async def test_two_exports_in_one_folder(scenario: DownloadScenario) -> None:
    """The files of two exports have different names."""
    first, other = scenario.export_id, scenario.server.add_export(content={"csv": b"other"}).id
    async with scenario.client() as px:
        reports = await asyncio.gather(
            *(px.exports.download(each, scenario.folder) for each in (first, other))
        )
    assert (scenario.folder / f"{other}.csv").read_bytes() == b"other"
    (scenario.folder / f"{other}.csv").unlink()
    scenario.check({})
    assert [len(report.files) for report in reports] == [4, 1]


async def test_same_artifact_twice(scenario: DownloadScenario) -> None:
    """Concurrent downloads of one artifact all succeed with true reports."""
    scenario.server.inject(Cut(50_000))
    async with scenario.client() as px:
        again = [px.exports.download(scenario.export_id, scenario.folder, artifacts="csv") for _ in range(4)]
        reports = await asyncio.gather(*again)
    scenario.check({})
    assert all(report.ok for report in reports)


async def test_same_artifact_from_two_clients(scenario: DownloadScenario) -> None:
    """Two clients use different partial files, as two processes would."""
    scenario.server.inject(Cut(50_000), times=2)
    async with scenario.client() as first, scenario.client() as second:
        await asyncio.gather(
            *(
                px.exports.download(scenario.export_id, scenario.folder, artifacts="csv")
                for px in (first, second)
            )
        )
    scenario.check({})
    assert scenario.path().read_bytes() == scenario.content


async def test_concurrency_of_one(scenario: DownloadScenario) -> None:
    """With `concurrency=1`, an artifact starts after the previous one has finished or failed."""
    scenario.server.inject(Status(400, on="storage", artifact="csv"))
    kinds: list[ProgressKind] = []
    await scenario.run(artifacts=None, concurrency=1, on_progress=lambda event: kinds.append(event.kind))
    changes = [kind for kind in kinds if kind is not ProgressKind.ADVANCED]
    started, head_complete, failed = ProgressKind.STARTED, ProgressKind.FINISHED, ProgressKind.FAILED
    assert changes == [started, head_complete, failed, started, head_complete, started, head_complete]


async def test_one_connection_for_four_artifacts(scenario: DownloadScenario) -> None:
    """Four artifacts share the only connection of a connector, and an interrupted one releases it."""
    scenario.server.inject(Cut(50_000))
    async with aiohttp.TCPConnector(limit=1) as connector:
        scenario.options["connector"] = connector
        assert len((await scenario.run(artifacts=None)).files) == 4


async def test_blocked_default_executor(scenario: DownloadScenario) -> None:
    """Downloads work while all threads of the default executor are blocked."""
    release = threading.Event()
    loop = asyncio.get_running_loop()
    blocked = [loop.run_in_executor(None, release.wait) for _ in range(64)]
    try:
        assert len((await scenario.run(artifacts=None)).files) == 4
    finally:
        release.set()
        await asyncio.gather(*blocked)
