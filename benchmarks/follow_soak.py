"""Memory, file descriptors and results of `sync --follow` over many polls.

`python benchmarks/follow_soak.py [POLLS]`. The command runs in a separate process. Exports are added and
deleted while it polls, and some of the requests fail. At the end it gets a SIGTERM.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from packagex_async.testing import Emulator, Status, serve_in_thread

POLLS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
KEPT_EXPORTS = 150
"""Exports that exist at the same time; older ones are deleted."""


def usage(pid: int) -> tuple[float, int]:
    """Return the resident memory of a process in MiB, and its number of file descriptors."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    rss = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return rss / 1024, len(os.listdir(f"/proc/{pid}/fd"))


def report(line: str) -> None:
    """Print one line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Print one line per tenth of the polls, and the totals."""
    chance = random.Random(5)
    with tempfile.TemporaryDirectory() as folder, serve_in_thread(Emulator(populate=False)) as server:
        options = ["--follow", "--interval", "0.001", "--json", "--base-url", server.base_url]
        command = [sys.executable, "-m", "packagex_async.cli", "sync", folder, *options]
        ids: list[str] = []
        reported: set[str] = set()
        polls = 0
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PX_API_KEY": server.api_key},
        ) as process:
            for line in process.stdout or ():
                record = json.loads(line)
                if record["event"] == "report" and record["ok"]:
                    reported.add(record["export_id"])
                if record["event"] != "polled":
                    continue
                polls += 1
                server.requests.clear()
                if polls < POLLS - 50 and chance.random() < 0.2:
                    ids.append(server.add_export(rows=20).id)
                if len(ids) > KEPT_EXPORTS and ids[-KEPT_EXPORTS] in reported:
                    server.delete_export(ids[-KEPT_EXPORTS])
                if chance.random() < 0.1:
                    server.inject(Status(500, on=chance.choice(("api", "storage"))))
                if polls % (POLLS // 10) == 0:
                    rss, descriptors = usage(process.pid)
                    report(f"{polls:6} polls  {rss:6.1f} MiB  {descriptors} file descriptors")
                if polls == POLLS:
                    break
            started_at = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.communicate()
            code = process.returncode
            report(f"SIGTERM: exit code {code} after {time.monotonic() - started_at:.2f} s")
        complete = sum((Path(folder) / f"{export_id}.csv").exists() for export_id in ids)
        report(f"{len(ids)} exports, {len(reported)} reported, {complete} CSV files")


if __name__ == "__main__":
    main()
