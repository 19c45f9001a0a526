"""A nightly job on a bad night: faults of every kind, exports that expire and appear, and three SIGKILLs.

In the end every artifact that was offered and is still alive must be in the folder once, exact, and the
manifest must agree.

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
from faulty_server import FaultyServer, ServerState

from packagex_async import AsyncPackageX, PackageXError, RetryPolicy
from packagex_async._sync.manifest import NAME

_CONTEXT = multiprocessing.get_context("spawn")
_NAMES = {"json": ".json", "csv": ".csv", "csv_error": ".error.csv", "csv_sanitized": ".sanitized.csv"}
_KILL_POINTS = (0.15, 0.4, 0.7)
_MAX_RUNS = 30


@attrs.define
class Figures:
    """What came of the night.

    Attributes:
        exports: Exports at its beginning.
        seed: The seed of the random numbers.
        kills: Runs that were killed.
        runs: Runs that came to their end; all but the last left something to do.
        alive: Artifacts alive at the end.
        missing: Those of them that are not there.
        corrupt: Files that are not the artifact, living or dead.
        unrecorded: Artifacts of which the manifest does not say what is there.
        leftovers: Files that are nobody's.
        requests: How many there were to each host.
        faults: How many requests met one.
        memory: MiB of the run that took the most.
        seconds: How long it took.
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
        """Whether all that is promised was kept."""
        return self.runs < _MAX_RUNS and not (
            self.missing or self.corrupt or self.unrecorded or self.leftovers
        )

    def table(self) -> str:
        """The figures as a Markdown table."""
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


def download(url: str, key: str, folder: Path, results: Connection) -> None:
    """A run: whether it left nothing to do, and the MiB it took, are told at its end."""
    clean = asyncio.run(_download(url, key, folder))
    results.send((clean, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


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


class SoakTest:
    """The runs over one folder.

    Args:
        far_side: Where the exports are.
        folder: Where they go.
        figures: Where the outcome is counted.
    """

    def __init__(self, faulty_server: FaultyServer, folder: Path, figures: Figures) -> None:
        self._faulty_server = faulty_server
        self._folder = folder
        self._figures = figures

    def run(self) -> None:
        """Kill what is at work three times; then let it come to its end until there is nothing to do."""
        for share in _KILL_POINTS:
            self._kill_at(int(share * self._figures.exports * len(_NAMES)))
        clean, settled = False, False
        while not (clean and settled) and self._figures.runs < _MAX_RUNS:
            settled = not self._faulty_server.state().exports_to_add
            clean = self._finish()

    def check(self, state: ServerState) -> None:
        """Hold the folder against what the far side holds."""
        figures, results = self._figures, self._manifest_entries()
        alive, expired = _by_name(state.alive), _by_name(state.expired)
        figures.alive = len(alive)
        figures.requests, figures.faults = state.requests, state.fault_counts
        existing = {path.name: path for path in self._folder.iterdir() if path.name != NAME}
        figures.leftovers = len(existing.keys() - alive.keys() - expired.keys())
        figures.missing = len(alive.keys() - existing.keys())
        for name, sha256 in (alive | expired).items():
            if name in existing:
                content = existing[name].read_bytes()
                figures.corrupt += hashlib.sha256(content).hexdigest() != sha256
                figures.unrecorded += name in alive and results.get(name) != (len(content), sha256)

    def _manifest_entries(self) -> dict[str, tuple[int, str]]:
        lines = map(json.loads, (self._folder / NAME).read_text().splitlines())
        return {line["path"]: (line["size"], line["sha256"]) for line in lines}

    def _start_run(self) -> tuple[BaseProcess, Connection]:
        ours, child_pipe = _CONTEXT.Pipe(duplex=False)
        arguments = self._faulty_server.base_url, self._faulty_server.api_key, self._folder
        process = _CONTEXT.Process(target=download, args=(*arguments, child_pipe), daemon=True)
        process.start()
        child_pipe.close()
        return process, ours

    def _kill_at(self, artifacts: int) -> None:
        process, _ = self._start_run()
        while process.is_alive() and _files(self._folder) < artifacts:
            time.sleep(0.02)
        process.kill()
        process.join()
        self._figures.kills += process.exitcode == -9

    def _finish(self) -> bool:
        process, results = self._start_run()
        try:
            clean, memory = results.recv()
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
    """Run the soak test with random numbers from `seed`."""
    figures = Figures(exports, seed)
    started_at = time.monotonic()
    faulty_server = FaultyServer(exports, seed)
    try:
        with tempfile.TemporaryDirectory() as folder:
            soak_test = SoakTest(faulty_server, Path(folder), figures)
            soak_test.run()
            soak_test.check(faulty_server.state())
    finally:
        faulty_server.close()
    figures.seconds = time.monotonic() - started_at
    return figures


def main() -> int:
    """Play it as the command line says; print the figures, and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--exports", type=int, default=5000, help="how many there are at the beginning")
    parser.add_argument("--seed", type=int, default=7, help="seed of the random numbers")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--check", action="store_true", help="fail when a promise was broken")
    options = parser.parse_args()
    figures = run(options.exports, options.seed)
    sys.stdout.write(figures.table() + "\n")
    if options.json is not None:
        options.json.write_text(json.dumps(attrs.asdict(figures), indent=2) + "\n")
    return 1 if options.check and not figures.good else 0


if __name__ == "__main__":
    sys.exit(main())
