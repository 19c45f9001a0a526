"""`download_all(follow=True)` downloads each export when it becomes final, and repeats failed downloads."""

from __future__ import annotations

import asyncio
import logging
import shutil
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from packagex_async import (
    AuthenticationError,
    Bucket,
    ConfigurationError,
    DestinationError,
    ExportFailedError,
    ExportGoneError,
    Poll,
    RetryPolicy,
    ServerError,
)
from packagex_async.testing.faults import Cut, Status
from tests.support import names
from tests.watching import Watched, open_watched


async def test_downloads_exports_when_they_become_final(watched: Watched, tmp_path: Path) -> None:
    """Exports in progress have no report. Failed exports have one report with an error."""
    server = watched.server
    done, pending, failing = (
        server.add_export(status=status, rows=5).id for status in ("completed", "queued", "processing")
    )
    polls: list[Poll] = []

    async def change(number: int) -> None:
        if number == 1:
            await watched.reported(1)
        elif number == 2:
            server.update_export(pending, status="completed")
            server.update_export(failing, status="failed")
        elif number == 3:
            await watched.reported(3)

    await watched.follow(6, tmp_path, change, on_poll=polls.append)
    assert sorted(report.export_id for report in watched.reports) == sorted((done, pending, failing))
    assert watched.reports[0].export_id == done
    (failed,) = [report for report in watched.reports if not report.ok]
    assert isinstance(failed.error, ExportFailedError)
    files = {path for path in names(tmp_path) if path.startswith("exp_")}
    assert files == {f"{export_id}.{kind}" for export_id in (done, pending) for kind in ("json", "csv")}
    assert [(poll.found, poll.pending, poll.retried, poll.failing, poll.error) for poll in polls] == [
        (1, 2, 0, 0, None), (0, 2, 0, 0, None), (2, 0, 0, 0, None), *[(0, 0, 0, 0, None)] * 3,
    ]  # fmt: skip


ATTEMPTS = [1, 2, 3, 3, 4, 4, 4, 4, 5, *[5] * 7, 6]
"""The number of attempts of a download after each poll, if all of them fail at once."""


async def test_failed_artifact_is_retried_at_later_polls(tmp_path: Path) -> None:
    """The intervals grow. The other artifacts of the export are kept, and a success is the last attempt."""
    async with open_watched(policy=RetryPolicy(attempts=1)) as watched:
        export_id = watched.server.add_export(rows=5).id
        watched.server.inject(Status(500, on="storage", artifact="csv"), times=5)
        polls: list[Poll] = []

        async def change(number: int) -> None:
            await watched.reported(ATTEMPTS[number - 1] if number <= 17 else 6)

        await watched.follow(40, tmp_path, change, on_poll=polls.append)
        assert [len(report.failures) for report in watched.reports] == [1, 1, 1, 1, 1, 0]
        assert [report.files["json"].kept for report in watched.reports] == [False, *[True] * 5]
        assert [number for number, poll in enumerate(polls, 1) if poll.retried] == [2, 3, 5, 9, 17]
        assert [poll.failing for poll in polls] == [0, *[1] * 16, *[0] * 23]
        stored = (tmp_path / f"{export_id}.csv").read_bytes()
        assert stored == watched.server.content(export_id, "csv")


async def test_failed_artifact_is_retried_until_the_export_is_deleted(tmp_path: Path) -> None:
    """The last report of a deleted export says that it does not exist any more."""
    async with open_watched(policy=RetryPolicy(attempts=1)) as watched:
        export_id = watched.server.add_export(rows=5).id
        watched.server.inject(Status(500, on="storage"), times=None)

        async def change(number: int) -> None:
            await watched.reported(ATTEMPTS[min(number, 5) - 1])
            if number == 3:
                watched.server.delete_export(export_id)

        await watched.follow(7, tmp_path, change)
        assert [report.ok for report in watched.reports] == [False] * 4
        assert isinstance(watched.reports[-1].error, ExportGoneError)


async def test_failed_download_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Warnings of repeated attempts have the level DEBUG, until an attempt succeeds."""
    async with open_watched() as watched:
        watched.server.add_export(rows=5)
        watched.server.inject(Status(503, on="storage", artifact="csv"), times=20)

        async def change(number: int) -> None:
            await watched.reported(ATTEMPTS[min(number, 9) - 1])

        await watched.follow(12, tmp_path, change)
        assert [report.ok for report in watched.reports] == [False] * 4 + [True]
        retried = [record for record in caplog.records if "trying again in" in record.getMessage()]
        assert [record.levelname for record in retried] == ["WARNING"] * 4


async def test_partial_file_of_a_failed_download_is_resumed(tmp_path: Path) -> None:
    """The next attempt requests only the rest of the file."""
    async with open_watched(policy=RetryPolicy(attempts=1)) as watched:
        export_id = watched.server.add_export(content={"csv": bytes(300_000)}).id
        watched.server.inject(Cut(200_000, on="storage"))

        async def change(number: int) -> None:
            await watched.reported(min(number, 2))

        await watched.follow(3, tmp_path, change)
        assert [report.ok for report in watched.reports] == [False, True]
        assert watched.reports[1].files["csv"].resumed
        assert watched.server.requests[-2].headers["Range"].startswith("bytes=")
        assert (tmp_path / f"{export_id}.csv").read_bytes() == watched.server.content(export_id, "csv")


async def test_failed_retrieval_is_retried(tmp_path: Path) -> None:
    """An export that could not be retrieved is downloaded at a later poll."""
    async with open_watched(policy=RetryPolicy(attempts=1)) as watched:
        export_id = watched.server.add_export(rows=5).id
        watched.server.inject(Status(500, on="api", export_id=export_id))

        async def change(number: int) -> None:
            await watched.reported(min(number, 2))

        await watched.follow(3, tmp_path, change)
        assert isinstance(watched.reports[0].error, ServerError)
        assert watched.reports[1].ok


async def test_failed_artifact_in_a_bucket() -> None:
    """Only the artifact that failed is downloaded at a later poll; the objects of the others are kept."""
    pytest.importorskip("obstore")
    async with open_watched(policy=RetryPolicy(attempts=1)) as watched:
        export_id = watched.server.add_export(rows=5).id
        watched.server.inject(Status(500, on="storage", artifact="json"))

        async def change(number: int) -> None:
            await watched.reported(min(number, 2))

        bucket = Bucket("memory://")
        await watched.follow(3, bucket, change, artifacts=["csv", "json"])
        first, second = watched.reports
        assert [file.artifact for file in first.files] == ["csv"]
        assert {file.artifact: file.kept for file in second.files} == {"csv": True, "json": False}
        assert second.export_id == export_id


async def test_second_run_keeps_the_files(watched: Watched, tmp_path: Path) -> None:
    """A new run reports the files of earlier runs, and does not request them."""
    watched.server.add_export(rows=5)

    async def change(number: int) -> None:
        await watched.reported(1)

    await watched.follow(2, tmp_path, change)
    watched.reports.clear()
    watched.clock.polls = 0
    sent = len(watched.server.requests)
    await watched.follow(2, tmp_path, change)
    assert all(file.kept for file in watched.reports[0].files)
    assert {request.host for request in watched.server.requests[sent:]} == {"api"}


async def test_directory_is_removed_while_following(watched: Watched, tmp_path: Path) -> None:
    """The next export creates it again, with a manifest for the next run."""
    directory = tmp_path / "exports"
    watched.server.add_export(rows=5)

    async def change(number: int) -> None:
        await watched.reported(min(number, 2))
        if number == 1:
            shutil.rmtree(directory)
            watched.server.add_export(rows=5)

    await watched.follow(2, directory, change)
    assert [report.ok for report in watched.reports] == [True, True]
    second = watched.reports[1].export_id
    assert names(directory) == [f"{second}.csv", f"{second}.json", "packagex-manifest.jsonl"]
    async with aclosing(watched.exports.download_all(directory)) as reports:
        kept = {report.export_id: [file.kept for file in report.files] async for report in reports}
    assert kept == {watched.reports[0].export_id: [False, False], second: [True, True]}


@pytest.mark.parametrize("steps", range(0, 240, 8))
async def test_closing_ends_all_tasks(watched: Watched, tmp_path: Path, steps: int) -> None:
    """Whatever runs at that moment: requests, downloads, the wait for the next poll."""
    for _ in range(3):
        watched.server.add_export(content={"csv": bytes(100_000)})
    tasks = asyncio.all_tasks()
    watched.clock.last_poll = 1000
    reports = watched.exports.download_all(tmp_path, follow=True)
    following = asyncio.create_task(anext(reports))
    for _ in range(steps):
        await asyncio.sleep(0)
    following.cancel()
    await asyncio.wait([following])
    await reports.aclose()
    left = [task.get_coro() for task in asyncio.all_tasks() - tasks]
    # The handlers of aiohttp belong to the emulator.
    assert [coroutine for coroutine in left if "RequestHandler" not in repr(coroutine)] == []


async def test_polls_are_logged(watched: Watched, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each poll has one line with counts. A failed poll has its error, and ends nothing."""
    caplog.set_level(logging.INFO, "packagex_async")
    watched.server.add_export(status="queued")
    polls: list[Poll] = []

    async def change(number: int) -> None:
        if number == 1:
            watched.server.inject(Status(500, on="api"), times=5)

    await watched.follow(3, tmp_path, change, on_poll=polls.append)
    assert [message for message in caplog.messages if message.startswith("polled")] == [
        "polled: 0 new, 0 tried again, 1 in progress, 0 failing"
    ] * 3
    assert [isinstance(poll.error, ServerError) for poll in polls] == [False, True, False]


@pytest.mark.parametrize("error", [AuthenticationError, DestinationError])
async def test_fatal_errors_end_it(watched: Watched, tmp_path: Path, error: type[Exception]) -> None:
    """A rejected key and an unusable directory end the downloads."""
    watched.server.add_export()
    if error is AuthenticationError:
        watched.server.inject(Status(401, on="api"))
    else:
        (tmp_path / "packagex-manifest.jsonl").mkdir()
    with pytest.raises(error):
        await watched.follow(10_000, tmp_path)


@pytest.mark.parametrize(
    "option",
    [
        {"interval": 0},
        {"order_by": "created_at"},
        {"direction": "desc"},
        {"prune_after": 1000},
        {"dry_run": True},
        {"statuses": "queued"},
    ],
    ids=str,
)
async def test_invalid_option(watched: Watched, tmp_path: Path, option: dict[str, Any]) -> None:
    """The call raises the error, which names the option."""
    with pytest.raises(ConfigurationError, match=next(iter(option))):
        watched.exports.download_all(tmp_path, follow=True, **option)
