"""Run a nightly job with faults of every kind, exports that expire and are created, and three SIGKILLs.

At the end, every offered artifact that still exists must be in the folder once, unchanged, and in the
manifest.

    python benchmarks/soak.py --check
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import attrs
from faulty_server import FaultyServer, Truth

from packagex_async import AsyncPackageX, PackageXError, RetryPolicy
from packagex_async._sync.manifest import MANIFEST_NAME

_CONTEXT = multiprocessing.get_context("spawn")
_NAMES = {"json": ".json", "csv": ".csv", "csv_error": ".error.csv", "csv_sanitized": ".sanitized.csv"}
_KILLS = (0.15, 0.4, 0.7)
_MOST_RUNS = 30


@attrs.define
class Figures:
    """The results of the test.

    Attributes:
        exports: Exports at the start.
        seed: The seed of the random generator.
        kills: Killed runs.
        runs: Completed runs; all but the last left artifacts to download.
        alive: Existing artifacts at the end.
        missing: Existing artifacts that are not in the folder.
        corrupt: Files that differ from the artifact.
        unrecorded: Artifacts whose manifest entry does not match.
        leftovers: Files that belong to no artifact.
        requests: The number of requests to each host.
        faults: Requests with a fault.
        memory: The greatest peak memory of a run in MiB.
        seconds: Duration.
    """

    exports: int
    seed: int
    kills: int = 0
    runs: int = 0
    alive: int = 0
    missing: int = 0
    corrupt: int = 0
    unrecorded: int = 0
    leftovers: int = 0
    requests: Counter[str] = attrs.field(factory=Counter)
    faults: Counter[str] = attrs.field(factory=Counter)
    memory: float = 0.0
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether all guarantees were kept."""
        return self.runs < _MOST_RUNS and not (
            self.missing or self.corrupt or self.unrecorded or self.leftovers
        )

    def table(self) -> str:
        """Return the figures as a Markdown table."""
        rows = attrs.asdict(self) | {
            "requests": self.requests.total(),
            "requests of storage per artifact": f"{self.requests['storage'] / max(self.alive, 1):.2f}",
            "faults": f"{self.faults.total()} of {len(self.faults)} kinds",
            "memory": f"{self.memory:.0f} MiB",
            "seconds": f"{self.seconds:.0f}",
        }
        return "\n".join(
            ["| figure | |", "|---|---:|", *(f"| {name} | {row} |" for name, row in rows.items())]
        )


def download(url: str, key: str, folder: Path, connection: Connection) -> None:
    """Run the job, and send whether nothing is left to download, and its peak memory in MiB."""
    clean = asyncio.run(_download(url, key, folder))
    connection.send((clean, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


async def _download(url: str, key: str, folder: Path) -> bool:
    clean = True
    retry = RetryPolicy(attempts=8, wait_initial=0.01, wait_max=0.2)
    async with AsyncPackageX(key, base_url=url, retry=retry, stall_timeout=1.0) as px:
        try:
            async for report in px.exports.download_all(folder):
                clean &= report.ok
        except PackageXError:
            return False
    return clean


class Night:
    """The runs over one folder.

    Args:
        far_side: The server.
        folder: The target folder.
        figures: The counters of the results.
    """

    def __init__(self, faulty_server: FaultyServer, folder: Path, figures: Figures) -> None:
        self._far_side = faulty_server
        self._folder = folder
        self._figures = figures

    def run(self) -> None:
        """Kill the job three times; then run it until nothing is left to download."""
        for share in _KILLS:
            self._kill_at(int(share * self._figures.exports * len(_NAMES)))
        clean, settled = False, False
        while not (clean and settled) and self._figures.runs < _MOST_RUNS:
            settled = not self._far_side.truth().appearing
            clean = self._finish()

    def check(self, truth: Truth) -> None:
        """Compare the folder with the artifacts of the server."""
        figures, connection = self._figures, self._recorded()
        alive, dead = _by_name(truth.alive), _by_name(truth.dead)
        figures.alive = len(alive)
        figures.requests, figures.faults = truth.requests, truth.injected
        there = {path.name: path for path in self._folder.iterdir() if path.name != MANIFEST_NAME}
        figures.leftovers = len(there.keys() - alive.keys() - dead.keys())
        figures.missing = len(alive.keys() - there.keys())
        for name, sha256 in (alive | dead).items():
            if name in there:
                content = there[name].read_bytes()
                figures.corrupt += hashlib.sha256(content).hexdigest() != sha256
                figures.unrecorded += name in alive and connection.get(name) != (len(content), sha256)

    def _recorded(self) -> dict[str, tuple[int, str]]:
        lines = map(json.loads, (self._folder / MANIFEST_NAME).read_text().splitlines())
        return {line["path"]: (line["size"], line["sha256"]) for line in lines}

    def _begin(self) -> tuple[BaseProcess, Connection]:
        ours, theirs = _CONTEXT.Pipe(duplex=False)
        where = self._far_side.base_url, self._far_side.api_key, self._folder
        process = _CONTEXT.Process(target=download, args=(*where, theirs), daemon=True)
        process.start()
        theirs.close()
        return process, ours

    def _kill_at(self, artifacts: int) -> None:
        process, _ = self._begin()
        while process.is_alive() and _files(self._folder) < artifacts:
            time.sleep(0.02)
        process.kill()
        process.join()
        self._figures.kills += process.exitcode == -9

    def _finish(self) -> bool:
        process, connection = self._begin()
        try:
            clean, memory = connection.recv()
        except EOFError:
            clean, memory = False, 0.0
        process.join()
        self._figures.runs += 1
        self._figures.memory = max(self._figures.memory, memory)
        return bool(clean)


def _files(folder: Path) -> int:
    return sum(not path.name.startswith(".") for path in folder.iterdir())


def _by_name(hashes: dict[str, dict[str, str]]) -> dict[str, str]:
    return {
        f"{export_id}{_NAMES[artifact]}": sha256
        for export_id, artifacts in hashes.items()
        for artifact, sha256 in artifacts.items()
    }


def run(exports: int, seed: int) -> Figures:
    """Run the test with a generator seeded with `seed`."""
    figures = Figures(exports, seed)
    started_at = time.monotonic()
    faulty_server = FaultyServer(exports, seed)
    try:
        with tempfile.TemporaryDirectory() as folder:
            night = Night(faulty_server, Path(folder), figures)
            night.run()
            night.check(faulty_server.truth())
    finally:
        faulty_server.close()
    figures.seconds = time.monotonic() - started_at
    return figures


def main() -> int:
    """Run the command line, print the figures, and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--exports", type=int, default=5000, help="number of exports at the start")
    parser.add_argument("--seed", type=int, default=7, help="seed of the random generator")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--check", action="store_true", help="exit with status 1 if a guarantee was broken")
    options = parser.parse_args()
    figures = run(options.exports, options.seed)
    sys.stdout.write(figures.table() + "\n")
    if options.json is not None:
        options.json.write_text(json.dumps(attrs.asdict(figures), indent=2) + "\n")
    return 1 if options.check and not figures.good else 0


if __name__ == "__main__":
    sys.exit(main())
