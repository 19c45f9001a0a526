"""W1 to W4 and W8: artifacts to disk, against whoever else can fetch a file."""

from __future__ import annotations

import attrs
from objects import ARTIFACTS, KIB
from rounds import Contender, Runs, empty, ratios
from runs import Cost
from servers import relay
from table import Row
from tasks import DownloadTask
from workload import CPU, TRANSFER, WALL, Environment, Outcome, raw

_LARGE = "exp_large"
_SMALL = 20 * KIB
_AT_ONCE = 16
_ROUNDS_OF_CURL = 2
"""It takes over half a minute from far away, and hardly varies."""


def large(environment: Environment) -> Outcome:
    """W1: one large artifact, bare, and with a hash to be held against."""
    file = environment.objects.file(environment.origin, _LARGE, "json", environment.scale.large)
    bare = environment.task("large", [file], 1)
    crc32c = environment.task("crc32c", [environment.objects.with_hash(file, "crc32c")], 1)
    md5 = environment.task("md5", [environment.objects.with_hash(file, "md5")], 1)
    over_tls = environment.objects.file(environment.tls_origin, _LARGE, "json", environment.scale.large)
    tls = environment.tls_task("tls", [over_tls], 1)
    runs = environment.run_contenders(
        bare.curl(),
        *_ours(bare),
        *_others(bare),
        crc32c.python("ours, crc32c", "ours"),
        md5.python("ours, md5", "ours"),
        md5.curl_then("md5sum"),
        bare.python("ours, sha256", "ours", "sha256"),
        bare.curl_then("sha256sum"),
        attrs.evolve(tls.curl(), name="curl, TLS"),
        tls.python("ours, TLS", "ours"),
        tls.python("naive, TLS", "naive"),
        rounds=environment.scale.large_rounds,
    )
    rows = [
        Row("W1", "time vs curl", ratios(runs, "ours", "curl", WALL), 0.85, 0.50),
        Row("W1", "time vs naive loop", ratios(runs, "ours", "naive", WALL), 0.35, 0.20),
        Row("W1", "time vs parfive", ratios(runs, "ours", "parfive", WALL), 0.17, 0.10),
        Row("W1", "without start-up, time vs curl", ratios(runs, "ours", "curl", TRANSFER)),
        Row("W1", "on uvloop, time vs curl", ratios(runs, "ours, uvloop", "curl", WALL)),
        Row("W1", "over TLS, time vs curl", ratios(runs, "ours, TLS", "curl, TLS", WALL)),
        Row("W1", "over TLS, time vs naive loop", ratios(runs, "ours, TLS", "naive, TLS", WALL)),
        Row("W1", "crc32c verified, time vs no hash", ratios(runs, "ours, crc32c", "ours", WALL), 1.15, 1.05),
        Row(
            "W1",
            "md5 verified, time vs curl, md5sum",
            ratios(runs, "ours, md5", "curl, md5sum", WALL),
            0.85,
            0.60,
        ),
        Row(
            "W1",
            "sha256 made, time vs curl, sha256sum",
            ratios(runs, "ours, sha256", "curl, sha256sum", WALL),
            0.85,
            0.60,
        ),
    ]
    bare_runs = {name: each for name, each in runs.items() if "," not in name or name == "ours, uvloop"}
    return _outcome(rows, runs, bars=bare_runs)


def four(environment: Environment) -> Outcome:
    """W2: the four artifacts of one export, side by side."""
    files = environment.objects.export(
        environment.origin, "exp_four", [environment.scale.quarter] * len(ARTIFACTS)
    )
    task = environment.task("four", files, len(files))
    everybody = [task.curl(), *_ours(task), *_others(task)]
    runs = environment.run_contenders(*everybody, rounds=environment.scale.large_rounds)
    rows = [
        Row("W2", "time vs curl --parallel", ratios(runs, "ours", "curl", WALL), 0.75, 0.50),
        Row("W2", "without start-up, time vs curl --parallel", ratios(runs, "ours", "curl", TRANSFER)),
        Row("W2", "on uvloop, time vs curl --parallel", ratios(runs, "ours, uvloop", "curl", WALL)),
    ]
    return _outcome(rows, runs, bars=runs)


def many(environment: Environment) -> Outcome:
    """W3: many exports of small artifacts, through `download_all`."""
    sizes = [_SMALL] * len(ARTIFACTS)
    exports = [f"exp_{number:04}" for number in range(environment.scale.exports)]
    files = [file for name in exports for file in environment.objects.export(environment.origin, name, sizes)]
    environment.objects.listing(files)
    task = environment.task("many", files, _AT_ONCE)
    ours, naive = task.python("ours", "ours", "bulk"), task.python("naive", "naive")
    fresh = environment.run_contenders(task.curl(), ours, naive, cleanup=empty)
    runs = environment.run_contenders(task.curl(), *_ours(task, "bulk"), *_others(task))
    rows = [
        Row("W3", "time vs curl --parallel", ratios(runs, "ours", "curl", TRANSFER), 1.5, 1.1),
        Row("W3", "time vs naive loop", ratios(runs, "ours", "naive", TRANSFER), 0.95, 0.75),
        Row("W3", "on uvloop, time vs curl --parallel", ratios(runs, "ours, uvloop", "curl", TRANSFER)),
        Row("W3", "nothing deleted before, time vs curl --parallel", ratios(fresh, "ours", "curl", TRANSFER)),
        Row("W3", "nothing deleted before, time vs naive loop", ratios(fresh, "ours", "naive", TRANSFER)),
        Row("W3", "with start-up, time vs curl --parallel", ratios(runs, "ours", "curl", WALL)),
        Row("W3", "with start-up, time vs naive loop", ratios(runs, "ours", "naive", WALL)),
    ]
    outcome = _outcome(rows, runs, bars=runs, cost=TRANSFER)
    undisturbed = {f"{name}, nothing deleted before": each for name, each in raw(fresh).items()}
    return attrs.evolve(outcome, raw={**outcome.raw, **undisturbed})


def distant(environment: Environment) -> Outcome:
    """W4: one artifact from far away, where one connection cannot be fast."""
    with relay(environment.server.port) as port:
        file = environment.objects.file(
            f"http://127.0.0.1:{port}", "exp_far", "json", environment.scale.distant
        )
        task = environment.task("far", [file], 1)
        aria2c = task.aria2c(8)
        runs = environment.run_contenders(
            attrs.evolve(task.curl(), rounds=_ROUNDS_OF_CURL), task.python("ours", "ours"), aria2c
        )
    rows = [
        Row("W4", f"time vs {aria2c.name}", ratios(runs, "ours", aria2c.name, WALL), 1.10, 1.0),
        Row("W4", "time vs curl", ratios(runs, "ours", "curl", WALL), 0.20, 0.15),
    ]
    return _outcome(rows, runs, bars=runs)


def effort(environment: Environment) -> Outcome:
    """W8: the processor's time for W1."""
    file = environment.objects.file(environment.origin, _LARGE, "json", environment.scale.large)
    task = environment.task("effort", [file], 1)
    runs = environment.run_contenders(task.python("ours", "ours"), task.python("naive", "naive"))
    row = Row("W8", "CPU seconds a GiB vs naive loop", ratios(runs, "ours", "naive", CPU), 0.40, 0.20)
    return _outcome([row], runs, bars={})


def _ours(task: DownloadTask, *options: str) -> list[Contender]:
    return [
        task.python("ours", "ours", *options),
        task.python("ours, uvloop", "ours", "uvloop", *options),
    ]


def _others(task: DownloadTask) -> list[Contender]:
    return [
        task.python("naive", "naive"),
        task.python("parfive", "with_parfive"),
        task.python("httpx", "with_httpx"),
        task.python("obstore", "with_obstore"),
    ]


def _outcome(rows: list[Row], runs: Runs, *, bars: Runs, cost: Cost = WALL) -> Outcome:
    return Outcome(rows, raw(runs), {name: ratios(runs, name, "curl", cost) for name in bars})
