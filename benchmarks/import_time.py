"""Measure the import time of the client in addition to that of aiohttp, which it needs.

    python benchmarks/import_time.py --rounds 30 --check

Each line is timed in a new interpreter, and the lines take turns. The limit applies to the import of the
client after aiohttp, in one interpreter, because the times of two interpreters vary by more than the
difference. The interpreters keep their byte code in a temporary folder, which a warm-up round fills, whatever
`PYTHONDONTWRITEBYTECODE` says and however the package was installed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

MAX_MS = 25.0
"""The greatest accepted import time of the client in addition to aiohttp, in milliseconds."""

AIOHTTP = "import aiohttp"
CLIENT = "from packagex_async import AsyncPackageX"
OVER = "the client over aiohttp"
LINES = {
    AIOHTTP: ("pass", AIOHTTP),
    "import packagex_async": ("pass", "import packagex_async"),
    CLIENT: ("pass", CLIENT),
    OVER: (AIOHTTP, CLIENT),
}
"""The lines that run before the clock starts, and the lines that are timed."""

Times = Mapping[str, Sequence[float]]
"""The milliseconds of each line, round by round."""

_TIMED = "import time; {}; began = time.perf_counter(); {}; print((time.perf_counter() - began) * 1000)"


def environment(cache: Path) -> dict[str, str]:
    """Return the environment for interpreters that keep byte code in `cache`."""
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(cache)}


def times(rounds: int) -> Times:
    """Time every line in turn, once to fill the cache and then `rounds` times."""
    with tempfile.TemporaryDirectory() as cache:
        env = environment(Path(cache))
        played = [{name: _milliseconds(name, env) for name in LINES} for _ in range(rounds + 1)]
    return {name: [measured[name] for measured in played[1:]] for name in LINES}


def table(measured: Times) -> str:
    """Return the figures as a Markdown table."""
    lines = [f"| import | median of {len(measured[OVER])} | middle half |", "|---|---:|---:|"]
    for name, values in measured.items():
        lower, median, upper = statistics.quantiles(values, n=4)
        lines.append(f"| {name} | {median:.1f} ms | {lower:.1f}-{upper:.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Run the command line, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30, help="number of rounds")
    parser.add_argument("--json", type=Path, help="write the figures in milliseconds to this file")
    parser.add_argument(
        "--check", action="store_true", help=f"exit with 1 above {MAX_MS:.0f} ms over aiohttp"
    )
    options = parser.parse_args()
    measured = times(options.rounds)
    sys.stdout.write(table(measured) + "\n")
    if options.json is not None:
        options.json.write_text(json.dumps(measured, indent=2) + "\n")
    if options.check and statistics.median(measured[OVER]) > MAX_MS:
        raise SystemExit(f"importing the client costs more than {MAX_MS:.0f} ms over importing aiohttp")


def _milliseconds(name: str, env: Mapping[str, str]) -> float:
    # `-P` imports the installed package, not one in the current folder.
    command = [sys.executable, "-P", "-c", _TIMED.format(*LINES[name])]
    return float(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
