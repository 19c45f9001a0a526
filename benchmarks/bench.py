"""Compare this package with other download programs.

    python benchmarks/bench.py --quick
    python benchmarks/bench.py --only large small --check

The script prints a table. A full run also writes the table, all figures as JSON and a chart to `results/`.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs
import rows
from buckets import buckets
from clusters import cluster
from command_line import command_line
from conversion import parquet
from downloads import four, large, many
from environment import QUICK, Environment, Outcome, Scale, Workload
from facts import machine, versions
from in_memory import decoding, paging, polling
from loading import loading
from memory import memory
from objects import Objects
from plot import svg
from second_run import second_run
from servers import nginx
from slow_lines import far, lossy
from table import Row, markdown
from tls import tls

RESULTS = Path(__file__).parent / "results"

WORKLOADS: Mapping[str, Workload] = {
    "large": large,
    "four": four,
    "tls": tls,
    "small": many,
    "far": far,
    "lossy": lossy,
    "memory": memory,
    "paging": paging,
    "decoding": decoding,
    "command-line": command_line,
    "csv": rows.csv,
    "json": rows.json,
    "parquet": parquet,
    "bucket": buckets,
    "dask": cluster,
    "polling": polling,
    "loading": loading,
    "second-run": second_run,
}

TITLES = {
    "large": "One file of 1 GiB, time vs curl",
    "four": "Four files of 256 MiB at once, time vs curl --parallel",
    "tls": "One file of 1 GiB over TLS, time vs curl",
    "small": "2,000 files of 20 KiB, 16 at once, time vs curl --parallel",
    "far": "128 MiB, 80 ms away, 4 MiB/s for each connection, time vs curl",
}

NOTES = (
    "Each figure is the median of the ratios of all rounds, with the minimum and the maximum in brackets. "
    "Less is better.",
    "A time is that of the whole process, start-up included, unless the row says otherwise. For 2,000 files "
    "of 20 KiB, the start-up of Python would be most of the time, so it is left out, but not that of curl.",
    "The imports of a Python program are part of its start-up, also those that it delays until the first "
    "call.",
    "Over TLS, the single nginx worker limits all programs: it encrypts about as fast as curl decrypts.",
    "128 MiB over a slow line: curl runs once, all others in every round. The relay adds one round trip to "
    "the opening of a connection, and does not simulate TCP slow start.",
    "Memory: the peak of the whole process, minus the peak of a process that downloads 1 KiB.",
)


def run_workloads(names: Iterable[str], scale: Scale, scratch: Path) -> dict[str, Outcome]:
    """Run the workloads called `names` in the folder `scratch`."""
    served = scratch / "served"
    served.mkdir()
    with nginx(served) as server:
        environment = Environment(scale, server, Objects(served), scratch)
        return {name: WORKLOADS[name](environment) for name in names}


def table(outcomes: Mapping[str, Outcome]) -> str:
    """Return the table of all workloads in Markdown, with its notes."""
    failures = [
        f"Workload `{name}`: failed and repeated runs of {contender}: {count}."
        for name, outcome in outcomes.items()
        for contender, count in outcome.failures.items()
    ]
    return markdown([row for outcome in outcomes.values() for row in outcome.rows], [*NOTES, *failures])


def write(outcomes: Mapping[str, Outcome], facts: Mapping[str, object], folder: Path) -> None:
    """Write table, figures and chart to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        **facts,
        "runs": {name: outcome.raw for name, outcome in outcomes.items()},
        "rows": {name: [attrs.asdict(row) for row in outcome.rows] for name, outcome in outcomes.items()},
        "bars": {name: outcome.bars for name, outcome in outcomes.items()},
    }
    (folder / "speed.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (folder / "speed.md").write_text(table(outcomes), encoding="utf-8")
    bars = {TITLES[name]: outcome.bars for name, outcome in outcomes.items() if outcome.bars}
    (folder / "speed.svg").write_text(svg(bars), encoding="utf-8")


def read(folder: Path) -> dict[str, Outcome]:
    """Return the outcomes that `write` has written to `folder`."""
    try:
        figures = json.loads((folder / "speed.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {
        name: Outcome([Row(**row) for row in rows], figures["runs"][name], figures["bars"][name])
        for name, rows in figures["rows"].items()
    }


def main() -> int:
    """Run the workloads of the command line, print the table, and return the exit status."""
    # SIGTERM raises KeyboardInterrupt, so that all started servers are stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = _options()
    names = options.only or list(WORKLOADS)
    results = options.results
    if results is None and not (options.only or options.quick):
        results = RESULTS
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        facts = {"machine": machine(Path(scratch)), "versions": versions()}
        outcomes = run_workloads(names, QUICK if options.quick else Scale(), Path(scratch))
    sys.stdout.write(table(outcomes))
    if results is not None:
        known = {**(read(results) if options.only else {}), **outcomes}
        write({name: known[name] for name in WORKLOADS if name in known}, facts, results)
    missed = any(row.missed for outcome in outcomes.values() for row in outcome.rows)
    return 1 if options.check and missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="small files and one round, to test the benchmark itself"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=WORKLOADS,
        metavar="WORKLOAD",
        help=f"run only these workloads: {', '.join(WORKLOADS)}",
    )
    parser.add_argument(
        "--check", action="store_true", help="exit with status 1 if a figure exceeds its limit"
    )
    parser.add_argument(
        "--folder", type=Path, help="write downloads to this folder (default: the system's temporary folder)"
    )
    parser.add_argument(
        "--results",
        type=Path,
        help="write table, figures and chart to this folder; with --only, keep the other workloads in it",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
