"""W6 and W7: what costs no file, measured where it is played, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from stage import Outcome, Stage
from table import Row

HERE = Path(__file__).parent

Times = Mapping[str, Sequence[float]]
"""Seconds of each contender, round by round."""


def paging(stage: Stage) -> Outcome:
    """W6: a listing from far away, with pages asked for ahead."""
    times = _measured("paging", stage.scale.rounds)
    return Outcome([_row("W6", times, "page after page", 0.20, 0.13)], times)


def decoding(stage: Stage) -> Outcome:
    """W7: JSON to models."""
    times = _measured("decoding", stage.scale.rounds)
    rows = [_row("W7", times, "json.loads", 4, 2.5), _row("W7", times, "pydantic", 2.4, 1.5)]
    return Outcome(rows, times)


def _measured(script: str, rounds: int) -> Times:
    """What `measure` of a script beside this one returns: `ours`, and those it is compared with."""
    if not (HERE / f"{script}.py").exists():
        return {}
    code = f"import json, {script}; print(json.dumps({script}.measure({rounds})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, check=True, stdout=subprocess.PIPE)
    times: Times = json.loads(done.stdout)
    return times


def _row(workload: str, times: Times, other: str, must: float, moonshot: float) -> Row:
    pairs = zip(times["ours"], times[other], strict=True) if times else ()
    return Row(workload, f"time vs {other}", [ours / theirs for ours, theirs in pairs], must, moonshot)
