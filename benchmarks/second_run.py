"""The workload that runs `download_all` again after an earlier run has downloaded everything."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bulk_memory import fill, listed_export
from environment import SECOND_RUN, TRANSFER, Environment, Outcome, raw
from job import Job
from objects import MIB
from rounds import Contender, ratios
from table import Row

from packagex_async._sync.manifest import MANIFEST_NAME

HERE = Path(__file__).parent

_AT_ONCE = 16


def second_run(environment: Environment) -> Outcome:
    """Measure a run that keeps all files, beside `json.loads` of the lines of its manifest.

    nginx serves the pages of the listing from files. The time of our run includes the requests for all pages,
    and the check of all files.
    """
    count, created_at = environment.scale.known, int(time.time()) - 3600
    folder = environment.scratch / "known"
    folder.mkdir()
    fill(folder, count, created_at)
    environment.objects.pages([listed_export(number, created_at) for number in range(count)])
    job = environment.scratch / "known.json"
    Job(environment.origin, _AT_ONCE, []).write(job)
    runs = environment.run(
        _python("ours", "ours", str(job), str(folder), "bulk"),
        _python("json.loads", "with_json_lines", str(job), str(folder), MANIFEST_NAME),
    )
    rows = [
        Row(
            SECOND_RUN,
            "time vs json.loads of the manifest",
            ratios(runs, "ours", "json.loads", TRANSFER),
            6,
            3,
        ),
        Row(
            SECOND_RUN,
            "peak memory of the process",
            [run.peak / MIB for run in runs["ours"]],
            150,
            80,
            " MiB",
        ),
    ]
    return Outcome(rows, raw(runs))


def _python(name: str, peer: str, *arguments: str) -> Contender:
    """Return the command of a script in `peers/`, which uses the same folder in each round."""

    def command(_: Path) -> Sequence[str]:
        return [sys.executable, str(HERE / "peers" / f"{peer}.py"), *arguments]

    return Contender(name, command, {}, ours=True)
