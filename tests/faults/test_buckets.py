"""Buckets: after a fault of the storage host, the bucket has the complete object or none.

No part of an upload is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from obstore.store import LocalStore

from packagex_async import Bucket, DownloadGroupError, RetryPolicy
from tests.faults.invariant import SECRET
from tests.faults.responses import altered_response, full_response, text_response, truncated_response
from tests.faults.scenario import RawDownloadScenario
from tests.faults.storage_server import ConnectionEnd, Responder
from tests.time_limits import LIMITED, TimeLimits

TWO_ATTEMPTS = RetryPolicy(attempts=2, wait_initial=0, wait_max=0)

FAULTS: dict[str, Callable[[bytes], Responder]] = {
    "truncation": lambda _: truncated_response(30_000),
    "reset": lambda _: truncated_response(30_000, ConnectionEnd.RST),
    "stall": lambda _: truncated_response(30_000, ConnectionEnd.STALL),
    "no response": lambda _: lambda _, __: ConnectionEnd.STALL,
    "wrong content": lambda content: altered_response(body=bytes(len(content))),
    "other object": lambda content: full_response({"ETag": '"other"', "Content-Length": "5"}),
    "expired": lambda _: text_response("403 Forbidden", "<Code>ExpiredToken</Code>"),
    "busy": lambda _: text_response("503 Service Unavailable"),
    "absent": lambda _: text_response("404 Not Found"),
}

ADVANCING = {"truncation", "reset", "stall"}
"""Faults after some bytes: each attempt continues at the byte reached."""


@pytest.fixture
def bucket(raw: RawDownloadScenario, limits: TimeLimits) -> Bucket:
    """A bucket in a folder: the files of the folder are its objects and the parts of uploads."""
    raw.options |= {**LIMITED, "retry": TWO_ATTEMPTS}
    return Bucket(LocalStore(raw.folder), chunk_size=20_000, max_concurrency=2)


def stored(folder: Path) -> dict[str, bytes]:
    """Return all files below the folder but the manifest object."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "_packagex")
    return {path.name: path.read_bytes() for path in paths}


async def download(raw: RawDownloadScenario, bucket: Bucket) -> bool:
    """Download the CSV, check the invariant, and return whether it is complete."""
    async with raw.client() as px:
        try:
            result: Any = await px.exports.download(raw.export_id, bucket, artifacts="csv")
            report = result
        except DownloadGroupError as error:
            result, report = error, error.report
    assert SECRET not in f"{result} {result!r} {report} {[repr(failure) for failure in report.failures]}"
    expected = {raw.path().name: raw.content} if report.files else {}
    assert stored(raw.folder) == expected
    return bool(report.files)


@pytest.mark.parametrize("fault", FAULTS)
async def test_fault_once(raw: RawDownloadScenario, bucket: Bucket, fault: str) -> None:
    """A complete object, or none; the next download completes it."""
    raw.respond_with(FAULTS[fault](raw.content))
    await download(raw, bucket)
    assert await download(raw, bucket)


@pytest.mark.parametrize("fault", FAULTS)
async def test_fault_in_the_middle(raw: RawDownloadScenario, bucket: Bucket, fault: str) -> None:
    """A fault of the request that resumes a truncated one."""
    raw.respond_with(truncated_response(50_000), FAULTS[fault](raw.content))
    await download(raw, bucket)
    assert await download(raw, bucket)


@pytest.mark.parametrize("fault", FAULTS)
async def test_fault_always(raw: RawDownloadScenario, bucket: Bucket, fault: str) -> None:
    """There is no object, unless each attempt receives more bytes."""
    raw.always_respond_with(FAULTS[fault](raw.content))
    assert await download(raw, bucket) == (fault in ADVANCING)


@pytest.mark.parametrize("end", ["cancellation", "closing"])
@pytest.mark.parametrize("after", [0, 10_000, 50_000])
async def test_interruption(raw: RawDownloadScenario, bucket: Bucket, end: str, after: int) -> None:
    """Neither an object nor a part of an upload."""
    raw.options["stall_timeout"] = 30
    reached = asyncio.Event()

    def respond(request: Any, content: Any) -> Any:
        reached.set()
        return truncated_response(after, ConnectionEnd.STALL)(request, content)

    raw.always_respond_with(respond)
    async with raw.client() as px:
        task = asyncio.create_task(
            px.exports.download(
                raw.export_id,
                bucket,
                artifacts="csv",
                on_progress=lambda event: reached.set() if event.received >= after else None,
            )
        )
        await reached.wait()
        if end == "cancellation":
            task.cancel()
        else:
            await px.aclose()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(outcome, BaseException)
    assert stored(raw.folder) == {}


async def test_parallel_ranges(raw: RawDownloadScenario, bucket: Bucket, transfer_mode: str) -> None:
    """Ranges that arrive over several connections are uploaded in their order."""
    assert await download(raw, bucket)
    assert (len(raw.storage.requested_ranges) > 1) == (transfer_mode == "segments")
