"""The workloads that measure peak memory."""

from __future__ import annotations

import shutil

import attrs
from environment import FOUR_LARGE, FOUR_LARGE_TLS, MEMORY, ONE_LARGE, Environment, Outcome, raw
from objects import ARTIFACTS, KIB, MIB
from rounds import Runs
from table import Row

_HUGE = "one file of 10 GiB"

_LIMITS = {ONE_LARGE: 24, FOUR_LARGE: 16, FOUR_LARGE_TLS: 16, _HUGE: 24}
"""The limit of each download in MiB."""

_IDLE, _IDLE_TLS = "idle", "idle over TLS"

_GOAL = 12
"""MiB."""

_ROUNDS_OF_HUGE = 1


def memory(environment: Environment) -> Outcome:
    """Measure the peak memory of downloads above that of a process that downloads 1 KiB."""
    scale, objects = environment.scale, environment.objects
    four = [scale.quarter] * len(ARTIFACTS)
    shapes = {
        _IDLE: [objects.file(environment.origin, "exp_idle", "json", KIB)],
        ONE_LARGE: [objects.file(environment.origin, "exp_large", "json", scale.large)],
        FOUR_LARGE: objects.export(environment.origin, "exp_four", four),
    }
    encrypted = {
        _IDLE_TLS: [objects.file(environment.tls_origin, "exp_idle", "json", KIB)],
        FOUR_LARGE_TLS: objects.export(environment.tls_origin, "exp_four", four),
    }
    contenders = [
        make(name, files, len(files)).python(name, "ours")
        for make, group in ((environment.commands, shapes), (environment.tls_commands, encrypted))
        for name, files in group.items()
    ]
    # The source is a sparse file, which costs no disk reads; the downloaded copy needs its full size.
    if shutil.disk_usage(environment.scratch).free > 1.5 * scale.huge:
        huge = [objects.file(environment.origin, "exp_huge", "json", scale.huge, sparse=True)]
        contender = environment.commands("huge", huge, 1).python(_HUGE, "ours")
        contenders.append(attrs.evolve(contender, rounds=_ROUNDS_OF_HUGE))
    runs = environment.run(*contenders)
    rows = [
        Row(MEMORY, f"{name}: peak memory above an idle client", _above(runs, name), limit, _GOAL, " MiB")
        for name, limit in _LIMITS.items()
    ]
    return Outcome(rows, raw(runs))


def _above(runs: Runs, name: str) -> list[float]:
    idle = runs[_IDLE_TLS if name == FOUR_LARGE_TLS else _IDLE]
    pairs = zip(runs.get(name, ()), idle, strict=False)
    return [(busy.peak - lowest.peak) / MIB for busy, lowest in pairs]
