"""Kill downloads with SIGKILL at random moments, and check that the next run completes them.

Each round downloads one export. Its processes are killed up to four times: before the first byte, during the
bodies, or while a file is published. The last process is not killed. After each kill, each target must be
absent or the complete artifact. Most artifacts use several connections, so that partial files have gaps.

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
from slow_storage import BadDay, Meter

from packagex_async import Artifact
from packagex_async.testing import Emulator, Expired, serve_in_thread

_NAMES = {"json": ".json", "csv": ".csv", "csv_error": ".error.csv", "csv_sanitized": ".sanitized.csv"}
_MAX_SIZE = 6 * MIB


class Loop:
    """The rounds of the kill loop.

    Args:
        server: The server of the downloads.
        figures: The counters of the results.
    """

    def __init__(self, server: Emulator, figures: Figures) -> None:
        self._server = server
        self._figures = figures
        self._generator = random.Random(figures.seed)
        self._meter = Meter()

    def round(self, folder: Path) -> None:
        """Download one export to `folder`, with kills and restarts."""
        content = {name: self._generator.randbytes(self._generator.randint(0, _MAX_SIZE)) for name in _NAMES}
        export_id = self._server.add_export(content=content).id
        self._spoil(export_id)
        job = Job(self._server.base_url, self._server.api_key, export_id, folder)
        expected = {folder / f"{export_id}{_NAMES[name]}": body for name, body in content.items()}
        for _ in range(self._generator.randint(1, 4)):
            self._strike(job)
            self._figures.corrupt += _corrupt(expected)
        finished = self._finish(job)
        self._figures.corrupt += _corrupt(expected)
        self._figures.stuck += not (finished and all(path.exists() for path in expected))
        self._figures.rounds += 1
        self._figures.needed += sum(map(len, content.values()))
        self._figures.fetched = self._meter.sent
        self._figures.leftovers += len(set(folder.iterdir()) - expected.keys())
        self._server.delete_export(export_id)

    def _spoil(self, export_id: str) -> None:
        if self._generator.random() < 0.25:
            self._server.inject(Expired(export_id=export_id, artifact=self._generator.choice(list(Artifact))))
        # The server has a separate generator, so the order of its requests does not change this plan.
        generator = random.Random(self._generator.random())
        self._server.inject(BadDay(export_id=export_id, generator=generator, meter=self._meter), times=None)

    def _strike(self, job: Job) -> None:
        aim, share = self._generator.choice(PHASES), self._generator.random()
        asked = len(self._server.requests)
        download_process = DownloadProcess(job)
        if aim == START:
            time.sleep(self._generator.uniform(0, 0.06))
        else:
            _follow(download_process, share if aim == BODY else 1.0)
            time.sleep(self._generator.uniform(0, 0.004))
        stuck = download_process.stuck
        if download_process.kill():
            self._figures.kills[_phase(download_process)] += 1
        self._figures.stuck += stuck or download_process.failed
        self._count_taken_up(asked)

    def _finish(self, job: Job) -> bool:
        asked = len(self._server.requests)
        finished = DownloadProcess(job).finish()
        self._count_taken_up(asked)
        return finished

    def _count_taken_up(self, asked: int) -> None:
        """Count the offsets at which the first requests of each artifact since `asked` started."""
        starts: dict[str | None, int] = {}
        for request in self._server.requests[asked:]:
            if request.host == "storage" and request.status in (200, 206):
                start, _, last = (
                    request.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
                )
                starts.setdefault(request.artifact, int(start))
                # A request for a range with an end is a segment: another connection downloads the rest.
                self._figures.parts += bool(last)
        self._figures.resumed += sum(starts.values())


def _follow(download_process: DownloadProcess, share: float) -> None:
    """Wait until `share` of some artifact has arrived, or the download ends."""
    while (step := download_process.step()) is not None:
        if not step.ended and step.total is not None and step.received >= max(share * step.total, 1):
            return


def _phase(download_process: DownloadProcess) -> str:
    under_way = [step for step in download_process.steps.values() if step.received and not step.ended]
    if any(step.publishing for step in under_way):
        return PUBLISH
    return BODY if under_way else START


def _corrupt(expected: Mapping[Path, bytes]) -> int:
    return sum(path.exists() and path.read_bytes() != body for path, body in expected.items())


def run(rounds: int, seed: int) -> Figures:
    """Run `rounds` rounds with a generator seeded with `seed`."""
    figures = Figures(seed)
    started_at = time.monotonic()
    with serve_in_thread(Emulator(populate=False)) as server:
        loop = Loop(server, figures)
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                loop.round(Path(folder))
    figures.seconds = time.monotonic() - started_at
    return figures


def main() -> int:
    """Run the command line, print the figures, and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=200, help="number of downloads")
    parser.add_argument("--seed", type=int, default=7, help="seed of the random generator")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--check", action="store_true", help="exit with 1 if anything is corrupt or stuck")
    options = parser.parse_args()
    figures = run(options.rounds, options.seed)
    sys.stdout.write(figures.table() + "\n")
    if options.json is not None:
        options.json.write_text(json.dumps(attrs.asdict(figures), indent=2) + "\n")
    return 1 if options.check and not figures.good else 0


if __name__ == "__main__":
    sys.exit(main())
