"""W5: how much memory the size of an artifact costs: none."""

from __future__ import annotations

import shutil

import attrs
from objects import ARTIFACTS, KIB, MIB
from rounds import Runs
from table import Row
from workload import Environment, Outcome, raw

_MUST, _MOONSHOT = 24, 12
"""MiB."""

_HUGE = "a 10 GiB artifact"
_ROUNDS_OF_HUGE = 2


def memory(environment: Environment) -> Outcome:
    """The peak of a process above that of one that has opened a client and fetched next to nothing."""
    scale, objects = environment.scale, environment.objects
    shapes = {
        "idle": [objects.file(environment.origin, "exp_idle", "json", KIB)],
        "W1": [objects.file(environment.origin, "exp_large", "json", scale.large)],
        "W2": objects.export(environment.origin, "exp_four", [scale.quarter] * len(ARTIFACTS)),
    }
    contenders = [
        environment.task(name, files, len(files)).python(name, "ours") for name, files in shapes.items()
    ]
    # Read, a hole is no work for the disk; written, it is as large as anything.
    if shutil.disk_usage(environment.scratch).free > 1.5 * scale.huge:
        huge = [objects.file(environment.origin, "exp_huge", "json", scale.huge, sparse=True)]
        contender = environment.task("huge", huge, 1).python(_HUGE, "ours")
        contenders.append(attrs.evolve(contender, rounds=_ROUNDS_OF_HUGE))
    runs = environment.run_contenders(*contenders)
    rows = [
        Row("W5", f"peak memory in {name}, over an idle client", _above(runs, name), _MUST, _MOONSHOT, " MiB")
        for name in ("W1", "W2", _HUGE)
    ]
    return Outcome(rows, raw(runs))


def _above(runs: Runs, name: str) -> list[float]:
    pairs = zip(runs.get(name, ()), runs["idle"], strict=False)
    return [(busy.peak - idle.peak) / MIB for busy, idle in pairs]
