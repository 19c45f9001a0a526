"""The workload that downloads many exports on the workers of a Dask cluster."""

from __future__ import annotations

from environment import CLUSTER, TRANSFER, Environment, Outcome, raw
from objects import KIB
from table import Row

_SIZE = 20 * KIB
_AT_ONCE = 16


def cluster(environment: Environment) -> Outcome:
    """Measure exports on a cluster of this machine, compared with one process."""
    count = environment.scale.ids
    names = [f"exp_id{number:04}" for number in range(count)]
    files = [environment.objects.file(environment.origin, name, "csv", _SIZE) for name in names]
    environment.objects.listing(files)
    commands = environment.commands("dask", files, _AT_ONCE)
    runs = environment.run(
        commands.python("one process", "ours", "bulk"), commands.python("Dask", "ours_dask")
    )
    overhead = [
        (TRANSFER(one) - TRANSFER(other)) / count * 1000
        for one, other in zip(runs["Dask"], runs["one process"], strict=True)
    ]
    return Outcome(
        [Row(CLUSTER, "time per export above that of one process", overhead, 1.0, 0.3, " ms")], raw(runs)
    )
