"""Interrupted downloads over several connections leave correct partial files."""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from packagex_async import DownloadedFile, ProgressEvent
from packagex_async.testing import Emulator
from tests.faults.invariant import read_files
from tests.integration.speed.slow_storage import CONTENT, SIZE, SlowDownloadScenario
from tests.support import NO_BACKOFF, names


async def test_error_in_callback_during_transfer(slow: SlowDownloadScenario) -> None:
    """The error is raised, whichever connection reports the progress."""

    def fail(event: ProgressEvent) -> None:
        if event.received > SIZE // 2:
            raise LookupError("error of the caller")

    async with slow.client() as px:
        with pytest.raises(ExceptionGroup) as caught:
            await px.exports.download(slow.export_id, slow.folder, segments=4, on_progress=fail)
    assert caught.group_contains(LookupError)
    slow.check({})


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
async def test_cancelled_during_transfer(slow: SlowDownloadScenario, share: float) -> None:
    """No file remains."""
    await _cancel_download(slow, share)
    assert read_files(slow.folder) == {}


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
async def test_cancelled_and_resumed(slow: SlowDownloadScenario, share: float) -> None:
    """The next run requests the gaps and nothing else."""
    received = await _cancel_download(slow, share, resume=True)
    (metadata,) = slow.folder.glob(".*.part.json")
    gaps = [(start, end) for start, end in json.loads(metadata.read_text())["gaps"]]
    assert sum(end - start for start, end in gaps) <= SIZE - received
    slow.storage.requests.clear()
    file = await _resume_download(slow, segments=1)
    assert slow.requested_segments == gaps
    assert (file.attempts, file.resumed, slow.connector.max_busy) == (1, True, 1)


async def _cancel_download(slow: SlowDownloadScenario, share: float, **options: Any) -> int:
    """Cancel a download after `share` of its bytes; return the number of bytes reported so far."""
    reached, received = asyncio.Event(), 0

    def on_progress(event: ProgressEvent) -> None:
        nonlocal received
        received = event.received
        if event.received > share * SIZE:
            reached.set()

    async with slow.client() as px:
        download = px.exports.download(
            slow.export_id, slow.folder, segments=4, on_progress=on_progress, **options
        )
        task = asyncio.create_task(download)
        await reached.wait()
        several = slow.connector.max_busy
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert several > 1
    assert not slow.path().exists()
    return received


async def test_partial_file_with_gaps_is_resumed_by_several_connections(slow: SlowDownloadScenario) -> None:
    """The next run requests only gaps, over several connections."""
    await _cancel_download(slow, 0.2, resume=True)
    slow.storage.requests.clear()
    file = await _resume_download(slow, segments=4)
    assert (file.resumed, slow.connector.max_busy > 1) == (True, True)
    assert slow.storage.requested_ranges.count(None) == 0


async def _resume_download(slow: SlowDownloadScenario, *, segments: int) -> DownloadedFile:
    """Download the artifact in the next run."""
    async with slow.client() as px:
        report = await px.exports.download(
            slow.export_id, slow.folder, resume=True, segments=segments, digest="sha256"
        )
    slow.check({})
    assert names(slow.folder) == [slow.path().name]
    return report.files["csv"]


KILLED_DOWNLOAD = """
import asyncio, math, os, signal, sys
from packagex_async import AsyncPackageX
from packagex_async._concurrency import tuning

tuning.default_tuning = tuning.TransferTuning(
    parallel_min_size=1, min_segment_size=10_000, settling_time=math.inf, probe_time=1e-9,
    min_remaining_time=0, max_rate=math.inf, direct_read_min_size=1, buffer_size=20_000,
    direct_write_min_size=1,
)
url, key, export_id, folder, last = sys.argv[1:]

def kill(event):
    if event.received > int(last):
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with AsyncPackageX(key, base_url=url) as px:
        await px.exports.download(export_id, folder, resume=True, segments=4, on_progress=kill)

asyncio.run(main())
"""


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
async def test_killed_and_resumed(packagex_emulator: Emulator, tmp_path: Path, share: float) -> None:
    """The metadata on disk is correct after SIGKILL, and the next run resumes."""
    server = packagex_emulator
    content = CONTENT * 5
    export_id = server.add_export(content={"csv": content}).id
    last = str(int(share * len(content)))
    command = [
        sys.executable,
        "-c",
        KILLED_DOWNLOAD,
        server.base_url,
        server.api_key,
        export_id,
        str(tmp_path),
        last,
    ]
    killed = await asyncio.create_subprocess_exec(*command)
    assert await killed.wait() == -signal.SIGKILL
    assert not (tmp_path / f"{export_id}.csv").exists()
    async with server.client(retry=NO_BACKOFF) as px:
        report = await px.exports.download(export_id, tmp_path, resume=True, segments=1, digest="sha256")
    file = report.files["csv"]
    assert file.path.read_bytes() == content
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert names(tmp_path) == [file.path.name]
