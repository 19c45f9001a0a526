"""Soak tests of `sync --follow`, which runs as a separate process.

- `faults`: 2,000 exports, of which some expire and new ones appear, with a fault in 5 % of the requests. The
  process gets three SIGTERMs and starts again. At the end, each artifact must be in the folder once.
- `polls`: 10,000 polls with new exports, deleted exports and faults. Memory and file descriptors must not
  grow.
- `idle`: the requests of a poll, if nothing changes.

    python benchmarks/follow_soak.py --check
    python benchmarks/follow_soak.py --only polls --polls 2000
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faulty_server import FaultyServer, Truth
from idle_polls import idle_polls
from table import Row, markdown

from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async.testing import Emulator, Status, serve_in_thread

_NAMES = {"json": ".json", "csv": ".csv", "csv_error": ".error.csv", "csv_sanitized": ".sanitized.csv"}
_SIGTERMS = (0.15, 0.4, 0.7)
"""The shares of all artifacts after which the process gets a SIGTERM."""

_MAX_SECONDS = 1800
"""Seconds after which the test of faults fails."""

_MAX_EXIT_SECONDS = 2.0
_MAX_GROWTH = 4.0
"""MiB by which the memory may grow in the second half of the polls."""

_KEPT_EXPORTS = 150
"""Exports that exist at the same time in the test of polls; older ones are deleted."""

_LOG_COMMAND = "sh -c 'echo $PACKAGEX_EXPORT_ID >> \"$1\"' sh"


class Follower:
    """A running `sync --follow --json`.

    Args:
        folder: The folder of the files.
        base_url: The address of the server.
        api_key: The key.
        options: Further options.

    Attributes:
        complete: The ids of exports that were reported without a failure.
        events: The number of records of each kind.
        last: The last record.
    """

    def __init__(self, folder: Path, base_url: str, api_key: str, *options: str) -> None:
        arguments = ["sync", str(folder), "--follow", "--json", "--base-url", base_url, *options]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "packagex_async.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PX_API_KEY": api_key},
        )
        self.complete: set[str] = set()
        self.events: Counter[str] = Counter()
        self.last: dict[str, Any] = {}

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield each record until the process ends."""
        for line in self._process.stdout or ():
            self.last = json.loads(line)
            self.events[self.last["event"]] += 1
            if self.last["event"] == "report" and self.last["ok"]:
                self.complete.add(self.last["export_id"])
            yield self.last

    def terminate(self, reader: threading.Thread | None = None) -> float:
        """Send SIGTERM, and return the seconds until the process has ended.

        Args:
            reader: The thread that reads the records, if there is one.

        Raises:
            SystemExit: It did not end with exit code 143 and a summary.
        """
        started_at = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        if reader is not None:
            reader.join()
        for _ in self.records():
            pass
        code = self._process.wait()
        seconds = time.monotonic() - started_at
        if (code, self.last.get("event"), self.last.get("ended")) != (143, "summary", "interrupted"):
            raise SystemExit(f"the process ended with exit code {code} and the record {self.last}")
        return seconds

    def kill(self) -> None:
        """Kill the process, if it is running."""
        self._process.kill()
        self._process.wait()


@contextmanager
def following(folder: Path, base_url: str, api_key: str, *options: str) -> Iterator[Follower]:
    """Run a `Follower`, and kill it at the end of the block if it is still running."""
    follower = Follower(folder, base_url, api_key, *options)
    try:
        yield follower
    finally:
        follower.kill()


def faults(exports: int, seed: int) -> list[Row]:
    """Return the results of the test with faults and SIGTERMs."""
    started_at = time.monotonic()
    workload = f"{exports:,} exports, 5 % faults, {len(_SIGTERMS)} SIGTERMs"
    server = FaultyServer(exports, seed)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            folder, log = Path(scratch, "files"), Path(scratch, "log")
            folder.mkdir()
            options = ["--interval", "0.5", "--stall-timeout", "1", "--on-complete", f"{_LOG_COMMAND} {log}"]
            ending: list[float] = []
            for share in (*_SIGTERMS, 1.0):
                with following(folder, server.base_url, server.api_key, *options) as follower:
                    reader = threading.Thread(target=lambda each: list(each.records()), args=(follower,))
                    reader.start()
                    if share < 1:
                        _wait_for_files(folder, int(share * exports * len(_NAMES)))
                    else:
                        _wait_for_all(server, follower, log, started_at)
                    ending.append(follower.terminate(reader))
            truth = server.truth()
            rows = [*_compare(workload, folder, truth), *_compare_log(workload, log, truth)]
    finally:
        server.close()
    seconds = time.monotonic() - started_at
    artifacts = sum(map(len, truth.alive.values()))
    return [
        *rows,
        Row(workload, "time until SIGTERM has ended the process", ending, _MAX_EXIT_SECONDS, unit=" s"),
        Row(workload, "requests of storage per artifact", [truth.requests["storage"] / artifacts]),
        Row(workload, "requests with a fault", [truth.injected.total()]),
        Row(workload, "duration", [seconds], unit=" s"),
    ]


def _wait_for_files(folder: Path, count: int) -> None:
    while sum(not path.name.startswith(".") for path in folder.iterdir()) < count:
        time.sleep(0.02)


def _wait_for_all(server: FaultyServer, follower: Follower, log: Path, started_at: float) -> None:
    """Wait until each existing export is complete, and its command has run."""
    while time.monotonic() - started_at < _MAX_SECONDS:
        truth = server.truth()
        if not truth.appearing and truth.alive.keys() <= follower.complete & set(log.read_text().split()):
            return
        time.sleep(1)


def _compare(workload: str, folder: Path, truth: Truth) -> list[Row]:
    """Compare the folder and its manifest with the artifacts of the server."""
    alive, dead = _by_name(truth.alive), _by_name(truth.dead)
    found = {path.name: path for path in folder.iterdir() if path.name != MANIFEST_NAME}
    entries = [json.loads(line) for line in (folder / MANIFEST_NAME).read_text().splitlines()]
    recorded = {entry["path"]: entry["sha256"] for entry in entries}
    corrupt = unrecorded = 0
    for name, sha256 in (alive | dead).items():
        if name in found:
            corrupt += hashlib.sha256(found[name].read_bytes()).hexdigest() != sha256
            unrecorded += name in alive and recorded.get(name) != sha256
    counts = {
        "lost artifacts": len(alive.keys() - found.keys()),
        "corrupt artifacts": corrupt,
        "duplicate and other files": len(found.keys() - alive.keys() - dead.keys()),
        "artifacts without a manifest entry": unrecorded,
    }
    return [
        Row(workload, "artifacts", [len(alive)]),
        *(Row(workload, measure, [count], 0) for measure, count in counts.items()),
    ]


def _compare_log(workload: str, log: Path, truth: Truth) -> list[Row]:
    """Compare the exports whose command has run with the exports of the server."""
    runs = Counter(log.read_text().split())
    return [
        Row(workload, "exports without a command", [len(truth.alive.keys() - runs.keys())], 0),
        Row(workload, "commands per export", [runs[export_id] for export_id in truth.alive]),
    ]


def _by_name(hashes: dict[str, dict[str, str]]) -> dict[str, str]:
    return {
        f"{export_id}{_NAMES[artifact]}": sha256
        for export_id, artifacts in hashes.items()
        for artifact, sha256 in artifacts.items()
    }


def polls(count: int, seed: int) -> list[Row]:
    """Return the results of the test with many polls."""
    samples: list[tuple[float, int]] = []
    with tempfile.TemporaryDirectory() as scratch, serve_in_thread(Emulator(populate=False)) as server:
        folder = Path(scratch)
        with following(folder, server.base_url, server.api_key, "--interval", "0.001") as follower:
            ids: list[str] = []
            changes = random.Random(seed)
            for record in follower.records():
                if record["event"] != "polled":
                    continue
                server.requests.clear()
                number = follower.events["polled"]
                _change(server, ids, follower.complete, changes, is_last=number > count - 50)
                if number % max(count // 20, 1) == 0:
                    samples.append(usage(follower.pid))
                if number == count:
                    break
            ending = follower.terminate()
        lost = sum(not (folder / f"{export_id}.csv").exists() for export_id in ids)
    (memory_before, files_before), (memory_after, files_after) = samples[len(samples) // 2 - 1], samples[-1]
    workload = f"{count:,} polls, {len(ids):,} exports"
    return [
        Row(workload, "lost artifacts", [lost], 0),
        Row(workload, "memory", [memory for memory, _ in samples], unit=" MiB"),
        Row(
            workload,
            "growth of memory in the second half",
            [memory_after - memory_before],
            _MAX_GROWTH,
            unit=" MiB",
        ),
        Row(workload, "file descriptors", [float(files) for _, files in samples]),
        Row(workload, "growth of file descriptors in the second half", [files_after - files_before], 4),
        Row(workload, "time until SIGTERM has ended the process", [ending], _MAX_EXIT_SECONDS, unit=" s"),
    ]


def _change(
    server: Emulator, ids: list[str], complete: set[str], changes: random.Random, *, is_last: bool
) -> None:
    if not is_last and changes.random() < 0.2:
        ids.append(server.add_export(rows=20).id)
    if len(ids) > _KEPT_EXPORTS and ids[-_KEPT_EXPORTS] in complete:
        server.delete_export(ids[-_KEPT_EXPORTS])
    if changes.random() < 0.1:
        server.inject(Status(500, on=changes.choice(("api", "storage"))))


def usage(pid: int) -> tuple[float, int]:
    """Return the resident memory of a process in MiB, and its number of file descriptors."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return resident / 1024, len(os.listdir(f"/proc/{pid}/fd"))


def main() -> int:
    """Run the command line, print the results, and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("faults", "polls", "idle")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, help="run only these tests")
    parser.add_argument("--exports", type=int, default=2000, help="number of exports at the start")
    parser.add_argument("--polls", type=int, default=10_000, help="number of polls")
    parser.add_argument("--seed", type=int, default=7, help="seed of the random generators")
    parser.add_argument("--check", action="store_true", help="exit with status 1 if a limit was exceeded")
    options = parser.parse_args()
    rows: list[Row] = []
    if "faults" in options.only:
        rows += faults(options.exports, options.seed)
    if "polls" in options.only:
        rows += polls(options.polls, options.seed)
    if "idle" in options.only:
        rows += idle_polls()
    sys.stdout.write(markdown(rows, []))
    return 1 if options.check and any(row.missed for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
