"""The workloads that download large artifacts over TLS 1.3, as from a real storage host."""

from __future__ import annotations

from environment import (
    FOUR_LARGE_TLS,
    ONE_LARGE_TLS,
    TRANSFER,
    TRANSFER_CPU,
    WALL,
    Environment,
    Outcome,
    raw,
)
from job import File
from objects import ARTIFACTS
from rounds import Runs, ratios, slow
from table import Row


def tls(environment: Environment) -> Outcome:
    """Measure one large artifact, and the four artifacts of one export."""
    scale, origin = environment.scale, environment.tls_origin
    file = environment.objects.file(origin, "exp_large", "json", scale.large)
    files = environment.objects.export(origin, "exp_four", [scale.quarter] * len(ARTIFACTS))
    one, four = _runs(environment, "tls", [file]), _runs(environment, "tls-four", files)
    rows = [
        Row(ONE_LARGE_TLS, "time vs curl", ratios(one, "ours", "curl", WALL)),
        Row(
            ONE_LARGE_TLS,
            "time vs curl, without start-up",
            ratios(one, "ours", "curl", TRANSFER),
            0.92,
            0.80,
        ),
        Row(
            ONE_LARGE_TLS,
            "time vs obstore, without start-up",
            ratios(one, "ours", "obstore", TRANSFER),
            0.97,
            0.85,
        ),
        Row(
            ONE_LARGE_TLS,
            "CPU seconds vs obstore, without start-up",
            ratios(one, "ours", "obstore", TRANSFER_CPU),
            1.0,
            0.85,
        ),
        Row(
            ONE_LARGE_TLS,
            "time vs aiohttp + aiofiles, without start-up",
            ratios(one, "ours", "naive", TRANSFER),
        ),
        Row(
            FOUR_LARGE_TLS,
            "time vs `curl --parallel`, without start-up",
            ratios(four, "ours", "curl", TRANSFER),
            0.88,
            0.75,
        ),
        Row(
            FOUR_LARGE_TLS,
            "time vs obstore, without start-up",
            ratios(four, "ours", "obstore", TRANSFER),
            0.88,
            0.75,
        ),
        Row(
            FOUR_LARGE_TLS,
            "time vs aiohttp + aiofiles, without start-up",
            ratios(four, "ours", "naive", TRANSFER),
        ),
    ]
    bars = {name: ratios(one, name, "curl", WALL) for name in one}
    return Outcome(rows, raw(one) | {f"four, {name}": runs for name, runs in raw(four).items()}, bars)


def _runs(environment: Environment, name: str, files: list[File]) -> Runs:
    commands = environment.tls_commands(name, files, len(files))
    return environment.run(
        commands.curl(),
        commands.python("ours", "ours"),
        commands.python("obstore", "with_obstore"),
        *slow(commands.python("naive", "naive")),
    )
