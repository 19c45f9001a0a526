"""What every workload is given, and what it gives back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import attrs
from job import File, Job
from objects import GIB, MIB, Objects
from rounds import Cleanup, Contender, Runs, run_interleaved
from runs import Cost
from servers import Server
from table import Row
from tasks import DownloadTask

WALL: Cost = attrgetter("wall")
TRANSFER: Cost = attrgetter("transfer")
CPU: Cost = attrgetter("cpu")


@attrs.frozen(kw_only=True)
class Scale:
    """How much of everything.

    Attributes:
        rounds: Rounds that count.
        large_rounds: The same in W1 and W2, where runs differ most, by the price of memory.
        large: Bytes of the one artifact of W1 and W8.
        quarter: Bytes of each of the four of W2.
        exports: Exports of W3, with four artifacts each.
        distant: Bytes of the artifact of W4.
        huge: Bytes of the one in W5 that no memory should hold.
    """

    rounds: int = 5
    large_rounds: int = 9
    large: int = GIB
    quarter: int = 256 * MIB
    exports: int = 500
    distant: int = 128 * MIB
    huge: int = 10 * GIB


QUICK = Scale(
    rounds=1, large_rounds=1, large=64 * MIB, quarter=16 * MIB, exports=50, distant=32 * MIB, huge=256 * MIB
)
"""Enough to see that all of it works; the figures mean nothing."""


@attrs.frozen
class Environment:
    """Where a workload is played.

    Attributes:
        scale: How much of everything.
        server: Where nginx listens.
        objects: What it serves.
        scratch: A folder for notes, and for what the contenders bring.
    """

    scale: Scale
    server: Server
    objects: Objects
    scratch: Path

    @property
    def origin(self) -> str:
        """Scheme, address and port of nginx."""
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def tls_origin(self) -> str:
        """The same where it speaks TLS."""
        return f"https://127.0.0.1:{self.server.tls_port}"

    def task(self, name: str, files: list[File], workers: int) -> DownloadTask:
        """These files, to be fetched by so many at once."""
        return self._task(name, Job(self.origin, workers, files))

    def tls_task(self, name: str, files: list[File], workers: int) -> DownloadTask:
        """The same with the API where TLS is spoken."""
        return self._task(name, Job(self.tls_origin, workers, files, str(self.server.authority)))

    def _task(self, name: str, job: Job) -> DownloadTask:
        return DownloadTask(name, job, self.objects.folder, self.scratch)

    def run_contenders(
        self, *contenders: Contender, rounds: int | None = None, cleanup: Cleanup = shutil.rmtree
    ) -> Runs:
        """Run all contenders in turn; `cleanup` removes their files."""
        return run_interleaved(contenders, rounds or self.scale.rounds, self.scratch, cleanup)


@attrs.frozen
class Outcome:
    """What a workload has shown.

    Attributes:
        rows: Its rows of the table.
        raw: Every figure by contender, for the JSON.
        bars: The times of the contenders as ratios to the first of them, for the plot.
    """

    rows: Sequence[Row]
    raw: Mapping[str, Sequence[Any]]
    bars: Mapping[str, Sequence[float]] = attrs.field(factory=dict)

    @property
    def failures(self) -> dict[str, int]:
        """How many runs had to be made again, of each contender that has failed."""
        counts = {
            name: sum(run["failures"] for run in runs if isinstance(run, dict))
            for name, runs in self.raw.items()
        }
        return {name: count for name, count in counts.items() if count}


Workload = Callable[[Environment], Outcome]


def raw(runs: Runs) -> dict[str, list[Any]]:
    """All figures of all runs, as JSON can hold them."""
    return {name: [attrs.asdict(run) for run in each] for name, each in runs.items()}
