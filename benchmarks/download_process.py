"""A download in a process of its own, which tells what it holds, and can be killed."""

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
from packagex_async._download import artifact as artifact_module
from packagex_async._download import segments, throughput
from packagex_async._transport import storage_response

# A process forked from one that has imported everything is there in milliseconds.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["packagex_async.testing.emulator", "download_process"])

_TIMEOUT_SECONDS = 60.0
"""Seconds after which a download is stuck."""


@attrs.frozen
class Job:
    """What is to be downloaded, from where, and to which folder."""

    base_url: str
    api_key: str = attrs.field(repr=False)
    export_id: str
    folder: Path


@attrs.frozen
class ProgressStep:
    """How much of an artifact is there, and whether it is in its place."""

    artifact: str
    received: int
    total: int | None
    ended: bool

    @property
    def publishing(self) -> bool:
        """Whether all of it is here, and not yet in its place."""
        return self.received == self.total and not self.ended

    @classmethod
    def of(cls, event: ProgressEvent) -> Self:
        """What an event tells."""
        ended = event.kind in (ProgressKind.FINISHED, ProgressKind.KEPT)
        return cls(str(event.artifact), event.received, event.total, ended)


class DownloadProcess:
    """A running download.

    Args:
        job: What it does.

    Attributes:
        steps: Its last step with each artifact, as far as it has told.
    """

    def __init__(self, job: Job) -> None:
        self.steps: dict[str, ProgressStep] = {}
        self._deadline = time.monotonic() + _TIMEOUT_SECONDS
        self._events, child_pipe = _CONTEXT.Pipe(duplex=False)
        self._process = _CONTEXT.Process(target=_download, args=(job, child_pipe), daemon=True)
        self._process.start()
        child_pipe.close()

    def step(self) -> ProgressStep | None:
        """Its next step; `None` when it has ended, or should have long ago."""
        try:
            if not self._events.poll(max(self._deadline - time.monotonic(), 0)):
                return None
            step: ProgressStep = self._events.recv()
        except (EOFError, OSError):
            return None  # it is dead, perhaps in the middle of a word
        self.steps[step.artifact] = step
        return step

    def kill(self) -> bool:
        """SIGKILL it; whether that came before its own end."""
        self._process.kill()
        return self._end() == -signal.SIGKILL

    @property
    def stuck(self) -> bool:
        """Whether it should have ended long ago."""
        return time.monotonic() > self._deadline

    @property
    def failed(self) -> bool:
        """Whether it has ended of itself, and not well."""
        return self._process.exitcode not in (0, -signal.SIGKILL)

    def finish(self) -> bool:
        """Let it come to its end; whether that was a good one."""
        while self.step() is not None:
            pass
        self._process.join(max(self._deadline - time.monotonic(), 0))
        self.kill()
        return self._process.exitcode == 0

    def _end(self) -> int | None:
        self._process.join()
        while self.step() is not None:
            pass
        self._events.close()
        return self._process.exitcode


def _download(job: Job, steps: Connection) -> None:
    _lower_thresholds()
    asyncio.run(_run(job, steps))


def _lower_thresholds() -> None:
    """Use all ways of a large artifact for small ones, so that a kill finds them at it."""
    storage_response._WORTH_A_CONNECTION = MIB // 4
    artifact_module.LARGE = MIB  # type: ignore[attr-defined]
    segments.MIN_SEGMENT_SIZE = MIB // 4
    throughput.PROBE, throughput.WORTH = 0.005, 0.01


async def _run(job: Job, steps: Connection) -> None:
    # Bad luck alone must not look like a download that is stuck.
    retry = RetryPolicy(attempts=20, wait_initial=0.01, wait_max=0.1)
    async with AsyncPackageX(job.api_key, base_url=job.base_url, retry=retry) as px:
        await px.exports.download(
            job.export_id,
            job.folder,
            resume=True,
            on_progress=lambda event: steps.send(ProgressStep.of(event)),
        )
