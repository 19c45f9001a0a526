"""The environment and the result of a workload."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import attrs
from commands import JobCommands
from job import File, Job
from objects import GIB, MIB, Objects
from rounds import Contender, Runs, Tidy, interleaved
from runs import Cost
from servers import Server
from table import Row

ONE_LARGE = "one file of 1 GiB"
FOUR_LARGE = "four files of 256 MiB"
ONE_LARGE_TLS = "one file of 1 GiB over TLS 1.3"
FOUR_LARGE_TLS = "four files of 256 MiB over TLS 1.3"
MANY_SMALL = "2,000 files of 20 KiB"
FAR = "128 MiB over a slow line"
LOSSY = "16 MiB over a lossy line"
MEMORY = "memory"
PAGING = "listing of 100 pages"
DECODING = "10,000 exports"
CSV_ROWS = "rows of a CSV file of 256 MiB"
JSON_RECORDS = "records of a JSON array of 256 MiB"
PARQUET = "256 MiB CSV to Parquet"
COMMAND_LINE = "packagex-exports"
BUCKET = "256 MiB into a bucket"
LOADING = "400,000 rows into DuckDB with dlt"
BUCKET_MANY = "2,000 files of 20 KiB into a bucket"
CLUSTER = "2,000 exports on Dask workers"
SECOND_RUN = "second run with 50,000 exports"
"""The names of the workloads in the table."""

WALL: Cost = attrgetter("wall")
TRANSFER: Cost = attrgetter("transfer")
CPU: Cost = attrgetter("cpu")
TRANSFER_CPU: Cost = attrgetter("transfer_cpu")


@attrs.frozen(kw_only=True)
class Scale:
    """The size of the workloads.

    Attributes:
        rounds: Rounds after the warm-up.
        large: Bytes of the single large artifact.
        quarter: Bytes of each of the four large artifacts.
        exports: Exports with four small artifacts each.
        ids: Exports with one small artifact each.
        far: Bytes of the artifact over the slow line.
        lossy: Bytes of the artifact over a line that loses segments.
        huge: Bytes of the artifact that exceeds the memory.
        rows: Bytes of the artifact whose rows are read.
        loaded: Rows that are loaded into a database.
        known: Exports that an earlier run has downloaded.
    """

    rounds: int = 5
    large: int = GIB
    quarter: int = 256 * MIB
    exports: int = 500
    ids: int = 2000
    far: int = 128 * MIB
    lossy: int = 16 * MIB
    huge: int = 10 * GIB
    rows: int = 256 * MIB
    loaded: int = 400_000
    known: int = 50_000


QUICK = Scale(
    rounds=1,
    large=64 * MIB,
    quarter=16 * MIB,
    exports=50,
    ids=200,
    far=32 * MIB,
    lossy=16 * MIB,
    huge=256 * MIB,
    rows=16 * MIB,
    loaded=20_000,
    known=1000,
)
"""A small scale to test the benchmark itself; its figures mean nothing."""


@attrs.frozen
class Environment:
    """The environment of a workload.

    Attributes:
        scale: The size of the workload.
        server: The addresses of nginx.
        objects: The served files.
        scratch: The folder for job descriptions and downloads.
    """

    scale: Scale
    server: Server
    objects: Objects
    scratch: Path

    @property
    def origin(self) -> str:
        """The http origin of nginx."""
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def tls_origin(self) -> str:
        """The https origin of nginx."""
        return f"https://127.0.0.1:{self.server.tls_port}"

    def commands(self, name: str, files: list[File], workers: int) -> JobCommands:
        """Return the commands that download `files` with `workers` at a time."""
        return self._commands(name, Job(self.origin, workers, files))

    def tls_commands(self, name: str, files: list[File], workers: int) -> JobCommands:
        """Return the same commands for https."""
        return self._commands(name, Job(self.tls_origin, workers, files, str(self.server.authority)))

    def _commands(self, name: str, job: Job) -> JobCommands:
        return JobCommands(name, job, self.objects.folder, self.scratch)

    def run(self, *contenders: Contender, tidy: Tidy = shutil.rmtree) -> Runs:
        """Run all contenders in turn, and clean the folder of each run with `tidy`."""
        return interleaved(contenders, self.scale.rounds, self.scratch, tidy)


@attrs.frozen
class Outcome:
    """The result of a workload.

    Attributes:
        rows: Its rows of the table.
        raw: Every figure by contender, for the JSON file.
        bars: The times of the contenders as ratios to the first one, for the chart.
    """

    rows: Sequence[Row]
    raw: Mapping[str, Sequence[Any]]
    bars: Mapping[str, Sequence[float]] = attrs.field(factory=dict)

    @property
    def failures(self) -> dict[str, int]:
        """The number of repeated runs of each contender that has failed."""
        counts = {
            name: sum(run["failures"] for run in runs if isinstance(run, dict))
            for name, runs in self.raw.items()
        }
        return {name: count for name, count in counts.items() if count}


Workload = Callable[[Environment], Outcome]


def raw(runs: Runs) -> dict[str, list[Any]]:
    """Return all figures of all runs as JSON values."""
    return {name: [attrs.asdict(run) for run in each] for name, each in runs.items()}
