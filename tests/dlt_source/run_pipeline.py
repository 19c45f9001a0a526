"""Loads locations, and then all exports, and is killed meanwhile.

Arguments: the folder of the pipeline, the base URL, the point at which the process is killed, and the write
disposition.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any

from dlt.common.runtime.collector import Collector
from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob
from dlt.pipeline.pipeline import Pipeline

from packagex_async.integrations.dlt import exports_source
from tests.dlt_source.conftest import new_pipeline


def kill(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class KillingCollector(Collector):
    """Kills the process at the end of a step, or after its first job."""

    point = ""

    def update(self, name: str, inc: int = 1, *_: Any, **__: Any) -> None:
        if name == "Jobs" and inc == 1 and self.point == "first job":
            kill()

    def _start(self, step: str) -> None:
        pass

    def _stop(self) -> None:
        if self.point == self.step.split()[0]:
            kill()


def kill_after_commit() -> None:
    """Kill the process when the destination has committed the first file."""
    load = DuckDbCopyJob.run

    def run(self: DuckDbCopyJob) -> None:
        load(self)
        kill()

    DuckDbCopyJob.run = run


def main(folder: str, base_url: str, point: str, disposition: Any) -> None:
    """Run the pipeline."""
    collector = KillingCollector()
    pipeline = new_pipeline(Path(folder), progress=collector)
    if point != "first run":
        pipeline.run(exports_source(base_url=base_url, resource="location"))
    source = exports_source(base_url=base_url)
    source.exports.apply_hints(write_disposition=disposition)
    numbers = itertools.count()
    if point == "second table":
        source.exports.add_map(lambda table: kill() if next(numbers) else table)
    if point == "state":
        Pipeline._save_state = kill
    if point == "commit":
        kill_after_commit()
    collector.point = "Normalize" if point == "first run" else point
    pipeline.run(source)


if __name__ == "__main__":
    main(*sys.argv[1:])
