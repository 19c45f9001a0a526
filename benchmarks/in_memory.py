"""W6 and W7: what costs no file, measured where it is played, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from table import Row
from workload import Environment, Outcome

HERE = Path(__file__).parent

Times = Sequence[Mapping[str, float]]
"""Seconds of each contender, round by round."""


def paging(environment: Environment) -> Outcome:
    """W6: a listing from far away, with pages asked for ahead."""
    times = _measured("paging", f"times({environment.scale.rounds})")
    return _outcome(times, [_row("W6", times, ("16", "0"), "page after page", 0.20, 0.13)])


def decoding(environment: Environment) -> Outcome:
    """W7: JSON to models, with a field that the models do not know."""
    times = _measured("decoding", f"times({environment.scale.rounds}, unknown=1)")
    bounds = {"json.loads": (4, 2.5), "pydantic": (2.4, 1.5)}
    return _outcome(times, [_row("W7", times, ("ours", peer), peer, *bounds[peer]) for peer in bounds])


def _measured(script: str, call: str) -> Times:
    code = f"import json, {script}; print(json.dumps({script}.{call}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, check=True, stdout=subprocess.PIPE)
    times: Times = json.loads(done.stdout)
    return times


def _row(workload: str, times: Times, pair: tuple[str, str], other: str, must: float, moonshot: float) -> Row:
    ours, theirs = pair
    return Row(
        workload,
        f"time vs {other}",
        [round_times[ours] / round_times[theirs] for round_times in times],
        must,
        moonshot,
    )


def _outcome(times: Times, rows: list[Row]) -> Outcome:
    return Outcome(rows, {name: [round_times[name] for round_times in times] for name in times[0]})
