"""SIGKILL at random moments: what a download leaves behind is never wrong, and the next run finishes the job.

Each round downloads one export whose processes are killed up to four times, before the first byte, amid the
bodies, or while a file takes its place; the last one is left alone. After every death each final path must be
absent or the whole artifact. Most artifacts come over several connections, so that what is left has gaps.

    python benchmarks/kill_loop.py --rounds 200 --check
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import attrs
from download_process import DownloadProcess, Job
from kill_figures import BODY, MIB, PHASES, PUBLISH, START, Figures
from slow_storage import Meter, SlowFaultyStorage

from packagex_async import Artifact
from packagex_async.testing import Emulator, Expired, serve_in_thread

_NAMES = {"json": ".json", "csv": ".csv", "csv_error": ".error.csv", "csv_sanitized": ".sanitized.csv"}
_MAX_SIZE = 6 * MIB


class KillLoop:
    """The rounds, one after another.

    Args:
        server: Where the downloads come from.
        figures: Where the outcome is counted.
    """

    def __init__(self, server: Emulator, figures: Figures) -> None:
        self._server = server
        self._figures = figures
        self._generator = random.Random(figures.seed)
        self._meter = Meter()

    def round(self, folder: Path) -> None:
        """Download one export to `folder`, killed and started again."""
        content = {name: self._generator.randbytes(self._generator.randint(0, _MAX_SIZE)) for name in _NAMES}
        export_id = self._server.add_export(content=content).id
        self._inject_faults(export_id)
        job = Job(self._server.base_url, self._server.api_key, export_id, folder)
        expected = {folder / f"{export_id}{_NAMES[name]}": body for name, body in content.items()}
        for _ in range(self._generator.randint(1, 4)):
            self._kill_once(job)
            self._figures.corrupt += _corrupt(expected)
        finished = self._finish(job)
        self._figures.corrupt += _corrupt(expected)
        self._figures.stuck_runs += not (finished and all(path.exists() for path in expected))
        self._figures.rounds += 1
        self._figures.needed += sum(map(len, content.values()))
        self._figures.fetched = self._meter.sent
        self._figures.leftovers += len(set(folder.iterdir()) - expected.keys())
        self._server.delete_export(export_id)

    def _inject_faults(self, export_id: str) -> None:
        if self._generator.random() < 0.25:
            self._server.inject(Expired(export_id=export_id, artifact=self._generator.choice(list(Artifact))))
        # The server has its own generator, so that the plan does not depend on the order of its requests.
        generator = random.Random(self._generator.random())
        self._server.inject(
            SlowFaultyStorage(export_id=export_id, generator=generator, meter=self._meter), times=None
        )

    def _kill_once(self, job: Job) -> None:
        phase, share = self._generator.choice(PHASES), self._generator.random()
        first_request = len(self._server.requests)
        process = DownloadProcess(job)
        if phase == START:
            time.sleep(self._generator.uniform(0, 0.06))
        else:
            _wait_for_progress(process, share if phase == BODY else 1.0)
            time.sleep(self._generator.uniform(0, 0.004))
        stuck = process.stuck
        if process.kill():
            self._figures.kills[_phase(process)] += 1
        self._figures.stuck_runs += stuck or process.failed
        self._count_resumed_bytes(first_request)

    def _finish(self, job: Job) -> bool:
        first_request = len(self._server.requests)
        finished = DownloadProcess(job).finish()
        self._count_resumed_bytes(first_request)
        return finished

    def _count_resumed_bytes(self, first_request: int) -> None:
        """Count the bytes before the first requested one of each artifact, from `first_request` on."""
        starts: dict[str | None, int] = {}
        for request in self._server.requests[first_request:]:
            if request.host == "storage" and request.status in (200, 206):
                start, _, last = (
                    request.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
                )
                starts.setdefault(request.artifact, int(start))
                # Only where another connection brings what follows is an end of the range given.
                self._figures.segments += bool(last)
        self._figures.resumed_bytes += sum(starts.values())


def _wait_for_progress(process: DownloadProcess, share: float) -> None:
    """Wait until `share` of some artifact is there, or the download ends."""
    while (step := process.step()) is not None:
        if not step.ended and step.total is not None and step.received >= max(share * step.total, 1):
            return


def _phase(process: DownloadProcess) -> str:
    in_progress = [step for step in process.steps.values() if step.received and not step.ended]
    if any(step.publishing for step in in_progress):
        return PUBLISH
    return BODY if in_progress else START


def _corrupt(expected: Mapping[Path, bytes]) -> int:
    return sum(path.exists() and path.read_bytes() != body for path, body in expected.items())


def run(rounds: int, seed: int) -> Figures:
    """Run `rounds` rounds with random numbers from `seed`."""
    figures = Figures(seed)
    started_at = time.monotonic()
    with serve_in_thread(Emulator(populate=False)) as server:
        loop = KillLoop(server, figures)
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                loop.round(Path(folder))
    figures.seconds = time.monotonic() - started_at
    return figures


def main() -> int:
    """Run the loop as the command line says; print its figures, and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=200, help="how many downloads")
    parser.add_argument("--seed", type=int, default=7, help="seed of the random numbers")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--check", action="store_true", help="fail when anything is corrupt or stuck")
    options = parser.parse_args()
    figures = run(options.rounds, options.seed)
    sys.stdout.write(figures.table() + "\n")
    if options.json is not None:
        options.json.write_text(json.dumps(attrs.asdict(figures), indent=2) + "\n")
    return 1 if options.check and not figures.good else 0


if __name__ == "__main__":
    sys.exit(main())
