"""The workloads that download artifacts to disk."""

from __future__ import annotations

import attrs
from commands import JobCommands
from environment import (
    CPU,
    FOUR_LARGE,
    MANY_SMALL,
    ONE_LARGE,
    TRANSFER,
    WALL,
    Environment,
    Outcome,
    raw,
)  # fmt: skip
from objects import ARTIFACTS, KIB
from rounds import Contender, Runs, empty, ratios, slow
from runs import Cost
from table import Row

_LARGE = "exp_large"
_SMALL = 20 * KIB
_AT_ONCE = 16


def large(environment: Environment) -> Outcome:
    """Measure one large artifact, without and with a declared hash."""
    file = environment.objects.file(environment.origin, _LARGE, "json", environment.scale.large)
    bare = environment.commands("large", [file], 1)
    crc32c = environment.commands("crc32c", [environment.objects.with_hash(file, "crc32c")], 1)
    md5 = environment.commands("md5", [environment.objects.with_hash(file, "md5")], 1)
    runs = environment.run(
        bare.curl(),
        *_ours(bare),
        *slow(_naive(bare)),
        _obstore(bare),
        *slow(_parfive(bare), bare.python("httpx", "with_httpx")),
        crc32c.python("ours, crc32c", "ours"),
        *slow(
            md5.python("ours, md5", "ours"),
            md5.curl_then("md5sum"),
            bare.python("ours, sha256", "ours", "sha256"),
            bare.curl_then("sha256sum"),
        ),
    )
    rows = [
        Row(ONE_LARGE, "time vs curl", ratios(runs, "ours", "curl", WALL), 0.85, 0.50),
        Row(ONE_LARGE, "time vs aiohttp + aiofiles", ratios(runs, "ours", "naive", WALL), 0.35, 0.20),
        Row(ONE_LARGE, "CPU seconds vs aiohttp + aiofiles", ratios(runs, "ours", "naive", CPU), 0.40, 0.20),
        Row(ONE_LARGE, "time vs parfive", ratios(runs, "ours", "parfive", WALL), 0.17, 0.10),
        Row(ONE_LARGE, "time vs curl, without start-up", ratios(runs, "ours", "curl", TRANSFER), 0.50, 0.40),
        Row(ONE_LARGE, "time vs curl, on uvloop", ratios(runs, "ours, uvloop", "curl", WALL)),
        Row(
            ONE_LARGE,
            "time with CRC-32C verified vs without",
            ratios(runs, "ours, crc32c", "ours", WALL),
            1.15,
            1.05,
        ),
        Row(
            ONE_LARGE,
            "time with MD5 verified vs curl + md5sum",
            ratios(runs, "ours, md5", "curl, md5sum", WALL),
            0.85,
            0.60,
        ),
        Row(
            ONE_LARGE,
            "time with SHA-256 computed vs curl + sha256sum",
            ratios(runs, "ours, sha256", "curl, sha256sum", WALL),
            0.85,
            0.60,
        ),
    ]
    bare_runs = {name: each for name, each in runs.items() if "," not in name or name == "ours, uvloop"}
    return _outcome(rows, runs, bars=bare_runs)


def four(environment: Environment) -> Outcome:
    """Measure the four artifacts of one export, concurrently."""
    files = environment.objects.export(
        environment.origin, "exp_four", [environment.scale.quarter] * len(ARTIFACTS)
    )
    commands = environment.commands("four", files, len(files))
    runs = environment.run(commands.curl(), *_ours(commands), *slow(_naive(commands)), _obstore(commands))
    rows = [
        Row(FOUR_LARGE, "time vs `curl --parallel`", ratios(runs, "ours", "curl", WALL), 0.75, 0.50),
        Row(
            FOUR_LARGE,
            "time vs `curl --parallel`, without start-up",
            ratios(runs, "ours", "curl", TRANSFER),
            0.50,
            0.40,
        ),
        Row(FOUR_LARGE, "time vs `curl --parallel`, on uvloop", ratios(runs, "ours, uvloop", "curl", WALL)),
    ]
    return _outcome(rows, runs, bars=runs)


def many(environment: Environment) -> Outcome:
    """Measure many exports of small artifacts with `download_all`."""
    sizes = [_SMALL] * len(ARTIFACTS)
    exports = [f"exp_{number:04}" for number in range(environment.scale.exports)]
    files = [file for name in exports for file in environment.objects.export(environment.origin, name, sizes)]
    environment.objects.listing(files)
    commands = environment.commands("many", files, _AT_ONCE)
    without_deletions = environment.run(
        commands.curl(),
        commands.python("ours", "ours", "bulk"),
        _naive(commands),
        _obstore(commands),
        tidy=empty,
    )
    runs = environment.run(
        commands.curl(),
        *_ours(commands, "bulk"),
        _naive(commands),
        _obstore(commands),
        *slow(_parfive(commands)),
    )
    rows = [
        Row(MANY_SMALL, "time vs `curl --parallel`", ratios(runs, "ours", "curl", TRANSFER), 1.5, 1.1),
        Row(MANY_SMALL, "time vs aiohttp + aiofiles", ratios(runs, "ours", "naive", TRANSFER), 0.95, 0.75),
        Row(
            MANY_SMALL, "time vs `curl --parallel`, on uvloop", ratios(runs, "ours, uvloop", "curl", TRANSFER)
        ),
        Row(
            MANY_SMALL,
            "time vs `curl --parallel`, no earlier deletions",
            ratios(without_deletions, "ours", "curl", TRANSFER),
        ),
        Row(
            MANY_SMALL,
            "time vs aiohttp + aiofiles, no earlier deletions",
            ratios(without_deletions, "ours", "naive", TRANSFER),
            0.75,
            0.50,
        ),
        Row(
            MANY_SMALL,
            "time vs obstore, no earlier deletions",
            ratios(without_deletions, "ours", "obstore", TRANSFER),
            1.0,
            0.7,
        ),
        Row(
            MANY_SMALL,
            "CPU time for each file, no earlier deletions",
            [run.transfer_cpu / len(files) * 1e6 for run in without_deletions["ours"]],
            250,
            150,
            " µs",
        ),
        Row(MANY_SMALL, "time vs `curl --parallel`, with start-up", ratios(runs, "ours", "curl", WALL)),
        Row(MANY_SMALL, "time vs aiohttp + aiofiles, with start-up", ratios(runs, "ours", "naive", WALL)),
    ]
    outcome = _outcome(rows, runs, bars=runs, cost=TRANSFER)
    undisturbed = {f"{name}, no earlier deletions": each for name, each in raw(without_deletions).items()}
    return attrs.evolve(outcome, raw={**outcome.raw, **undisturbed})


def _ours(commands: JobCommands, *options: str) -> list[Contender]:
    return [
        commands.python("ours", "ours", *options),
        commands.python("ours, uvloop", "ours", "uvloop", *options),
    ]


def _naive(commands: JobCommands) -> Contender:
    return commands.python("naive", "naive")


def _obstore(commands: JobCommands) -> Contender:
    return commands.python("obstore", "with_obstore")


def _parfive(commands: JobCommands) -> Contender:
    return commands.python("parfive", "with_parfive")


def _outcome(rows: list[Row], runs: Runs, *, bars: Runs, cost: Cost = WALL) -> Outcome:
    return Outcome(rows, raw(runs), {name: ratios(runs, name, "curl", cost) for name in bars})
