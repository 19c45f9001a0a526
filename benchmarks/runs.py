"""One run: a process, and its cost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import attrs

HERE = Path(__file__).parent

_LONGEST = 900
"""The time limit of a run in seconds; exceeding it ends the benchmark."""


@attrs.frozen
class Run:
    """The cost of a process.

    Attributes:
        wall: Seconds from its start to its end.
        transfer: Seconds without the start and end of an interpreter; `wall` if there is none.
        cpu: Seconds of processor time, including children and kernel.
        transfer_cpu: The same without the start and end of an interpreter; `cpu` if there is none.
        peak: Peak memory in bytes.
        failures: The number of failed runs before this one.
    """

    wall: float
    transfer: float
    cpu: float
    transfer_cpu: float
    peak: int
    failures: int = 0


Cost = Callable[[Run], float]
"""Selects the cost to compare."""


class Failed(SystemExit):
    """A process failed or exceeded the time limit. The message contains its error output."""


def measured(command: Sequence[str], scratch: Path) -> Run:
    """Run `command` and measure it; `scratch` is a folder for temporary files.

    Raises:
        Failed: The process failed or exceeded the time limit.
    """
    note = scratch / "peak.txt"
    # The peak of a child includes the memory of its parent when it forks, so a small program starts it.
    watched = [_time(), "-f", "%M", "-o", str(note), *command]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
        started_at = time.monotonic()
        process = subprocess.Popen(
            ["timeout", str(_LONGEST), *watched],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=complaints,
            env=_environment(),
        )
        cpu = _cpu_seconds(process)
        wall = time.monotonic() - started_at
        if process.returncode:
            said = _text(complaints)
            raise Failed(f"{' '.join(command)} failed with status {process.returncode}:\n{said}")
        times = _text(output)
    transfer, transfer_cpu = json.loads(times) if times else (wall, cpu)
    peak = 1024 * int(note.read_text())
    return Run(wall=wall, transfer=transfer, cpu=cpu, transfer_cpu=transfer_cpu, peak=peak)


def _cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Wait for the end of `process`, or terminate it if this process is interrupted."""
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def _time() -> str:
    return shutil.which("time") or "time"


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _environment() -> dict[str, str]:
    """Return our environment, with the folder of `job.py` and without proxies.

    Byte code is kept, as after an installation.
    """
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}
