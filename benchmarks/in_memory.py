"""The workloads without files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from environment import DECODING, PAGING, Environment, Outcome
from idle_polls import idle_polls
from table import Row

HERE = Path(__file__).parent

Times = Sequence[Mapping[str, float]]
"""The seconds of each contender, round by round."""


def paging(environment: Environment) -> Outcome:
    """Measure a listing with and without prefetching."""
    times = _measured("paging", f"times({environment.scale.rounds})")
    return _outcome(times, [_row(PAGING, times, ("16", "0"), "one page after another", 0.20, 0.13)])


def decoding(environment: Environment) -> Outcome:
    """Measure the conversion of JSON to models, with a field that the models do not know."""
    times = _measured("decoding", f"times({environment.scale.rounds}, unknown=1)")
    bounds = {"json.loads": (2.2, 1.5), "pydantic": (1.9, 1.2)}
    return _outcome(times, [_row(DECODING, times, ("ours", peer), peer, *bounds[peer]) for peer in bounds])


def polling(environment: Environment) -> Outcome:
    """Count the requests of polls while nothing changes."""
    rows = idle_polls()
    return Outcome(rows, {row.workload: list(row.values) for row in rows})


def _measured(script: str, call: str) -> Times:
    code = f"import json, {script}; print(json.dumps({script}.{call}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, check=True, stdout=subprocess.PIPE)
    times: Times = json.loads(done.stdout)
    return times


def _row(workload: str, times: Times, pair: tuple[str, str], other: str, limit: float, goal: float) -> Row:
    ours, theirs = pair
    return Row(
        workload, f"time vs {other}", [seconds[ours] / seconds[theirs] for seconds in times], limit, goal
    )


def _outcome(times: Times, rows: list[Row]) -> Outcome:
    return Outcome(rows, {name: [seconds[name] for seconds in times] for name in times[0]})
