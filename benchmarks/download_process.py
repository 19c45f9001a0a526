"""A download in a separate process, which reports its progress and can be killed."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

import attrs
from kill_figures import MIB

from packagex_async import AsyncPackageX, ProgressEvent, ProgressKind, RetryPolicy
from packagex_async._concurrency import tuning

# A process forked from one that has imported everything starts in milliseconds.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["packagex_async.testing.emulator", "victim"])

_PATIENCE = 60.0
"""Seconds after which a download counts as stuck."""


@attrs.frozen
class Job:
    """The export, the server and the target folder of a download."""

    base_url: str
    api_key: str = attrs.field(repr=False)
    export_id: str
    folder: Path


@attrs.frozen
class Step:
    """The received bytes of an artifact, and whether it is published."""

    artifact: str
    received: int
    total: int | None
    ended: bool

    @property
    def publishing(self) -> bool:
        """Whether all bytes have arrived, and the file is not published yet."""
        return self.received == self.total and not self.ended

    @classmethod
    def of(cls, event: ProgressEvent) -> Self:
        """Return the step of an event."""
        ended = event.kind in (ProgressKind.FINISHED, ProgressKind.KEPT)
        return cls(str(event.artifact), event.received, event.total, ended)


class DownloadProcess:
    """A running download.

    Args:
        job: The download.

    Attributes:
        steps: The last reported step of each artifact.
    """

    def __init__(self, job: Job) -> None:
        self.steps: dict[str, Step] = {}
        self._deadline = time.monotonic() + _PATIENCE
        self._connection, theirs = _CONTEXT.Pipe(duplex=False)
        self._process = _CONTEXT.Process(target=_download, args=(job, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def step(self) -> Step | None:
        """Return the next step, or `None` if the download has ended or is stuck."""
        try:
            if not self._connection.poll(max(self._deadline - time.monotonic(), 0)):
                return None
            step: Step = self._connection.recv()
        except (EOFError, OSError):
            return None  # The process is dead, possibly in the middle of a message.
        self.steps[step.artifact] = step
        return step

    def kill(self) -> bool:
        """Send SIGKILL; return whether the process was still running."""
        self._process.kill()
        return self._end() == -signal.SIGKILL

    @property
    def stuck(self) -> bool:
        """Whether the download is stuck."""
        return time.monotonic() > self._deadline

    @property
    def failed(self) -> bool:
        """Whether the process ended without a signal, and failed."""
        return self._process.exitcode not in (0, -signal.SIGKILL)

    def finish(self) -> bool:
        """Wait for the end; return whether the download succeeded."""
        while self.step() is not None:
            pass
        self._process.join(max(self._deadline - time.monotonic(), 0))
        self.kill()
        return self._process.exitcode == 0

    def _end(self) -> int | None:
        self._process.join()
        while self.step() is not None:
            pass
        self._connection.close()
        return self._process.exitcode


def _download(job: Job, steps: Connection) -> None:
    _hasten()
    asyncio.run(_run(job, steps))


def _hasten() -> None:
    """Enable all code paths of large artifacts for small ones, so that kills hit them."""
    tuning.default_tuning = tuning.TransferTuning(
        direct_read_min_size=MIB // 4,
        parallel_min_size=MIB,
        min_segment_size=MIB // 4,
        probe_time=0.005,
        min_remaining_time=0.01,
    )


async def _run(job: Job, steps: Connection) -> None:
    # Several random faults in a row must not look like a stuck download.
    retry = RetryPolicy(attempts=20, wait_initial=0.01, wait_max=0.1)
    async with AsyncPackageX(job.api_key, base_url=job.base_url, retry=retry) as px:
        await px.exports.download(
            job.export_id, job.folder, resume=True, on_progress=lambda event: steps.send(Step.of(event))
        )
