"""The workloads that download one artifact over a line with a round trip of 80 ms."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from commands import JobCommands
from environment import FAR, LOSSY, WALL, Environment, Outcome, raw
from rounds import Contender, Runs, ratios
from servers import relay
from table import Row

_ROUNDS_OF_CURL = 1
"""curl takes up to a minute."""

_DEFAULT = 8
"""The default of `segments`."""

_CONNECTIONS = (_DEFAULT, 16)

_LOSSES = (0.001, 0.01)
"""The probabilities that a segment is lost."""


def far(environment: Environment) -> Outcome:
    """Measure a line that limits each connection to the same rate."""
    with relay(environment.server.port) as port:
        runs = _runs(environment, port, "far", environment.scale.far, _CONNECTIONS)
    rows = [
        Row(FAR, "time vs aria2c -x8 -s8", _ratios(runs, _DEFAULT), 1.05, 1.0),
        Row(FAR, "time with 16 segments vs aria2c -x16 -s16", _ratios(runs, 16), 1.05, 1.0),
        Row(FAR, "time vs curl", ratios(runs, "ours", "curl", WALL), 0.20, 0.15),
    ]
    bars = {name: ratios(runs, name, "curl", WALL) for name in runs}
    return Outcome(rows, raw(runs), bars)


def lossy(environment: Environment) -> Outcome:
    """Measure lines that lose segments at random; see `CongestionWindow`."""
    rows: list[Row] = []
    figures: dict[str, Sequence[object]] = {}
    for loss in _LOSSES:
        with relay(environment.server.port, loss=loss) as port:
            runs = _runs(environment, port, "lossy", environment.scale.lossy, (_DEFAULT,))
        rows += [
            Row(LOSSY, f"{loss:.1%} loss: time vs aria2c -x8 -s8", _ratios(runs, _DEFAULT), 1.1, 1.0),
            Row(LOSSY, f"{loss:.1%} loss: time vs curl", ratios(runs, "ours", "curl", WALL), 0.6, 0.4),
        ]
        figures |= {f"{name}, {loss:.1%} loss": each for name, each in raw(runs).items()}
    return Outcome(rows, figures)


def _runs(environment: Environment, port: int, name: str, size: int, connections: Sequence[int]) -> Runs:
    file = environment.objects.file(f"http://127.0.0.1:{port}", f"exp_{name}", "json", size)
    commands = environment.commands(name, [file], 1)
    # No warm-up: the line is much slower than anything that a first run would prepare.
    rounds = environment.scale.rounds
    contenders = [
        attrs.evolve(contender, rounds=rounds)
        for count in connections
        for contender in _contenders(commands, count)
    ]
    return environment.run(attrs.evolve(commands.curl(), rounds=_ROUNDS_OF_CURL), *contenders)


def _contenders(commands: JobCommands, connections: int) -> list[Contender]:
    return [
        commands.python(_ours(connections), "ours", f"segments={connections}"),
        commands.aria2c(connections),
    ]


def _ours(connections: int) -> str:
    return "ours" if connections == _DEFAULT else f"ours, {connections} segments"


def _ratios(runs: Runs, connections: int) -> list[float]:
    return ratios(runs, _ours(connections), f"aria2c -x{connections} -s{connections}", WALL)
