"""Concurrency: what runs side by side neither spoils nor stops nor starves each other."""

from __future__ import annotations

import asyncio
import threading

import aiohttp
import pytest

from packagex_async import Artifact, ChecksumError, ProgressEvent, ProgressKind, StorageError
from packagex_async.testing import Cut, Stall, Status, WrongHash
from tests.faults.trial import Trial


async def test_one_of_four_fails(trial: Trial) -> None:
    """The other three arrive, and the error's report tells of all four."""
    trial.server.inject(WrongHash(artifact="csv"), times=None)
    report = await trial.report(artifacts=None)
    assert report.files.keys() == ("json", "csv_error", "csv_sanitized")
    assert isinstance(report.failures["csv"], ChecksumError)


@pytest.mark.one_connection
async def test_each_of_four_is_cut(trial: Trial) -> None:
    """Each goes on from its own last byte."""
    for after, artifact in enumerate(Artifact, start=1):
        trial.server.inject(Cut(after * 10_000, artifact=artifact))
    report = await trial.report(artifacts=None)
    assert [file.resumed for file in report.files] == [True] * 4
    asked = {request.headers.get("Range") for request in trial.server.requests if request.host == "storage"}
    assert asked == {None, *(f"bytes={after}0000-" for after in range(1, 5))}


async def test_all_four_fail(trial: Trial) -> None:
    """Each for its own reason, and all reasons are told."""
    for status, artifact in zip((400, 401, 402, 405), Artifact, strict=True):
        trial.server.inject(Status(status, on="storage", artifact=artifact))
    report = await trial.report(artifacts=None)
    statuses = [failure.status for failure in report.failures if isinstance(failure, StorageError)]
    assert statuses == [400, 401, 402, 405]


async def test_one_that_stands_still(trial: Trial) -> None:
    """The others do not wait for it."""
    trial.options["stall_timeout"] = 0.6
    trial.server.inject(Stall(10, artifact="json"))
    ends: list[str] = []

    def note(event: ProgressEvent) -> None:
        if event.kind is ProgressKind.FINISHED:
            ends.append(event.artifact)

    await trial.report(artifacts=None, on_progress=note)
    assert ends[-1] == "json"


async def test_two_exports_into_one_folder(trial: Trial) -> None:
    """Their files have names of their own."""
    first, other = trial.export_id, trial.server.add_export(content={"csv": b"other"}).id
    async with trial.client() as px:
        reports = await asyncio.gather(*(px.exports.download(each, trial.folder) for each in (first, other)))
    assert (trial.folder / f"{other}.csv").read_bytes() == b"other"
    (trial.folder / f"{other}.csv").unlink()
    trial.check({})
    assert [len(report.files) for report in reports] == [4, 1]


async def test_the_same_artifact_twice(trial: Trial) -> None:
    """Whoever is last finds or replaces what is the same, and both say what is true."""
    trial.server.inject(Cut(50_000))
    async with trial.client() as px:
        again = [px.exports.download(trial.export_id, trial.folder, artifacts="csv") for _ in range(4)]
        reports = await asyncio.gather(*again)
    trial.check({})
    assert all(report.ok for report in reports)


async def test_the_same_artifact_from_two_clients(trial: Trial) -> None:
    """As from two processes: each has a partial of its own."""
    trial.server.inject(Cut(50_000), times=2)
    async with trial.client() as one, trial.client() as two:
        await asyncio.gather(
            *(px.exports.download(trial.export_id, trial.folder, artifacts="csv") for px in (one, two))
        )
    trial.check({})
    assert trial.path().read_bytes() == trial.content


async def test_a_budget_of_one(trial: Trial) -> None:
    """With `concurrency=1`, none starts before the other has ended, failed ones included."""
    trial.server.inject(Status(400, on="storage", artifact="csv"))
    kinds: list[ProgressKind] = []
    await trial.report(artifacts=None, concurrency=1, on_progress=lambda event: kinds.append(event.kind))
    turns = [kind for kind in kinds if kind is not ProgressKind.ADVANCED]
    started, finished, failed = ProgressKind.STARTED, ProgressKind.FINISHED, ProgressKind.FAILED
    assert turns == [started, finished, failed, started, finished, started, finished]


async def test_one_connection_for_four_artifacts(trial: Trial) -> None:
    """They take turns on it, and a cut one does not keep it."""
    trial.server.inject(Cut(50_000))
    async with aiohttp.TCPConnector(limit=1) as connector:
        trial.options["connector"] = connector
        assert len((await trial.report(artifacts=None)).files) == 4


async def test_a_default_executor_that_is_blocked(trial: Trial) -> None:
    """Downloads do not depend on it."""
    release = threading.Event()
    loop = asyncio.get_running_loop()
    blocked = [loop.run_in_executor(None, release.wait) for _ in range(64)]
    try:
        assert len((await trial.report(artifacts=None)).files) == 4
    finally:
        release.set()
        await asyncio.gather(*blocked)
