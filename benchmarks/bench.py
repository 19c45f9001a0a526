"""How fast we are, against whoever else can do it: W1 to W8, in one command.

    python benchmarks/bench.py --quick
    python benchmarks/bench.py --only W1 W3 --check

A table is printed; a full run also writes it to `results/`, with all figures as JSON and a plot.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from downloads import distant, effort, four, large, many
from facts import machine, versions
from in_memory import decoding, paging
from memory import memory
from objects import Objects
from plot import svg
from servers import nginx
from table import markdown
from workload import QUICK, Environment, Outcome, Scale, Workload

RESULTS = Path(__file__).parent / "results"

WORKLOADS: Mapping[str, Workload] = {
    "W1": large,
    "W2": four,
    "W3": many,
    "W4": distant,
    "W5": memory,
    "W6": paging,
    "W7": decoding,
    "W8": effort,
}

TITLES = {
    "W1": "W1: one artifact of 1 GiB, time vs curl",
    "W2": "W2: four artifacts of 256 MiB at once, time vs curl --parallel",
    "W3": "W3: 2,000 artifacts of 20 KiB, 16 at once, time vs curl --parallel",
    "W4": "W4: 128 MiB, 80 ms away, 4 MiB/s a connection, time vs curl",
}

NOTES = (
    "Figures are medians of ratios taken round by round, with the least and the greatest.",
    "Times are those of whole processes, start-up included, unless a row says otherwise; in W3, where that "
    "would be most of it, interpreters are timed without, and curl with its own.",
    "W1 over TLS: the one worker of nginx encrypts at about the pace of curl, and everybody waits for it.",
    "W4: curl runs twice, everybody else in every round. The relay opens a connection a round trip late, and "
    "does not play TCP's slow start.",
    "W5: the peak of the whole process, less that of one that fetched one KiB.",
)


def run_workloads(names: Iterable[str], scale: Scale, scratch: Path) -> dict[str, Outcome]:
    """Play the workloads called `names`, in a folder of their own."""
    served = scratch / "served"
    served.mkdir()
    with nginx(served) as server:
        environment = Environment(scale, server, Objects(served), scratch)
        return {name: WORKLOADS[name](environment) for name in names}


def table(outcomes: Mapping[str, Outcome]) -> str:
    """The table of all workloads in Markdown, with its notes."""
    failures = [
        f"{name}: failed runs of {contender}, made again: {count}."
        for name, outcome in outcomes.items()
        for contender, count in outcome.failures.items()
    ]
    return markdown([row for outcome in outcomes.values() for row in outcome.rows], [*NOTES, *failures])


def write(outcomes: Mapping[str, Outcome], facts: Mapping[str, object], folder: Path) -> None:
    """Leave table, figures and plot in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {**facts, "runs": {name: outcome.raw for name, outcome in outcomes.items()}}
    (folder / "speed.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (folder / "speed.md").write_text(table(outcomes), encoding="utf-8")
    bars = {TITLES[name]: outcome.bars for name, outcome in outcomes.items() if outcome.bars}
    (folder / "speed.svg").write_text(svg(bars), encoding="utf-8")


def main() -> int:
    """Run what the command line asks for; print the table, and return the exit status."""
    # Whichever way it is interrupted, what it has started is taken down.
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
        write(outcomes, facts, results)
    missed = any(row.missed for outcome in outcomes.values() for row in outcome.rows)
    return 1 if options.check and missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small files, one round: does it work at all?")
    parser.add_argument("--only", nargs="+", choices=WORKLOADS, metavar="W", help="these workloads alone")
    parser.add_argument("--check", action="store_true", help="fail when anything misses what it must reach")
    parser.add_argument(
        "--folder", type=Path, help="a folder on the disk to write to; the system's own for such"
    )
    parser.add_argument("--results", type=Path, help="a folder for the table, the figures and the plot")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
