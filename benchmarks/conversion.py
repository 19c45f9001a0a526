"""The workloads that convert an artifact to Parquet while it arrives."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from environment import PARQUET, WALL, Environment, Outcome, raw
from job import File
from objects import KIB, MIB
from rounds import Contender, Runs, ratios
from servers import relay
from table import Row

HERE = Path(__file__).parent

_FAST_LINE = 64 * MIB
"""Bytes per second."""


def parquet(environment: Environment) -> Outcome:
    """Measure the download of one CSV artifact as a Parquet file."""
    objects, scale = environment.objects, environment.scale
    small = objects.csv_file(environment.origin, "exp_tiny", KIB)
    file = objects.csv_file(environment.origin, "exp_csv", scale.rows)
    runs = environment.run(
        _ours(environment, "idle", small),
        _ours(environment, "ours", file),
        _curl_then("with_pyarrow", file),
        _curl_then("with_polars", file),
    )
    with relay(environment.server.port, one_way=0.0, rate=_FAST_LINE) as port:
        remote = file._replace(url=f"http://127.0.0.1:{port}/objects/{file.name}")
        over_line = environment.run(_ours(environment, "ours, line", remote), _curl(remote))
    rows = [
        Row(PARQUET, "time vs curl + pyarrow", ratios(runs, "ours", "with_pyarrow", WALL), 1.0, 0.7),
        Row(PARQUET, "time vs curl + polars", ratios(runs, "ours", "with_polars", WALL), 1.6, 1.0),
        Row(
            PARQUET,
            "time vs curl without conversion, 64 MiB/s",
            ratios(over_line, "ours, line", "curl", WALL),
            1.15,
            1.05,
        ),
        Row(PARQUET, "peak memory above a file of 1 KiB", _above_idle(runs), 150, 100, " MiB"),
    ]
    return Outcome(rows, raw({**runs, **over_line}))


def _ours(environment: Environment, name: str, file: File) -> Contender:
    command = environment.commands(name.replace(", ", "-"), [file], 1).python(name, "ours", "parquet")
    # The result is not a copy of a served file.
    return Contender(name, command.command, {}, ours=True)


def _curl(file: File) -> Contender:
    return Contender("curl", lambda folder: _curl_command(file, folder), {})


def _curl_then(peer: str, file: File) -> Contender:
    def command(folder: Path) -> list[str]:
        convert = [sys.executable, str(HERE / "peers" / f"{peer}.py"), str(folder / file.name)]
        return ["sh", "-c", f"{shlex.join(_curl_command(file, folder))} && {shlex.join(convert)}"]

    return Contender(peer, command, {})


def _curl_command(file: File, folder: Path) -> list[str]:
    return ["curl", "-sS", "-f", "-o", str(folder / file.name), file.url]


def _above_idle(runs: Runs) -> Sequence[float]:
    pairs = zip(runs["ours"], runs["idle"], strict=True)
    return [(busy.peak - idle.peak) / MIB for busy, idle in pairs]
