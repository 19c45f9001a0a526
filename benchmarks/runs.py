"""One run: a process of its own, from its start to its end, and what it cost."""

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

_TIMEOUT_SECONDS = 900
"""Seconds after which a run is ended, and with it the benchmark."""


@attrs.frozen
class Run:
    """What one process cost.

    Attributes:
        wall: Seconds from its start to its end.
        transfer: Seconds without an interpreter's start and end; `wall` where there is no interpreter.
        cpu: Seconds of processor time, its children's and the kernel's for it included.
        peak: Bytes of memory at most.
        failures: How often it had failed before.
    """

    wall: float
    transfer: float
    cpu: float
    peak: int
    failures: int = 0


Cost = Callable[[Run], float]
"""What is compared of two runs."""


class RunFailedError(SystemExit):
    """A process has failed, or took longer than any should; says what it complained of."""


def measured(command: Sequence[str], scratch: Path) -> Run:
    """Run `command` and measure it; `scratch` is a folder for notes.

    Raises:
        Failed: It failed, or took longer than any run should.
    """
    note = scratch / "peak.txt"
    # The kernel counts what a parent holds into the peak of its child: this small program starts it for us.
    timed_command = [_time(), "-f", "%M", "-o", str(note), *command]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started_at = time.monotonic()
        process = subprocess.Popen(
            ["timeout", str(_TIMEOUT_SECONDS), *timed_command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=_environment(),
        )
        cpu = _cpu_seconds(process)
        wall = time.monotonic() - started_at
        if process.returncode:
            message = _text(errors)
            raise RunFailedError(f"{' '.join(command)} failed with status {process.returncode}:\n{message}")
        times = _text(output)
    start, end = json.loads(times) if times else (0, wall)
    return Run(wall=wall, transfer=end - start, cpu=cpu, peak=1024 * int(note.read_text()))


def _cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Wait for the end of `process`; or end it, when this process is to end."""
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
    """Our environment, where the peers find `job.py` and no proxy stands before loopback.

    Byte code is kept, as it is wherever something was installed.
    """
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}
