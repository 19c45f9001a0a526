"""What importing the client costs over importing aiohttp, without which nothing of it would work.

    python benchmarks/import_time.py --rounds 30 --check

Each line is timed in interpreters of its own that do nothing else, and the lines take turns. What counts is
the client after aiohttp, in one interpreter: between two of them, more drifts than the difference. What
an installed package has as byte code is had here in any case: the interpreters keep it in a folder of the
benchmark's, which a round that does not count fills, whatever `PYTHONDONTWRITEBYTECODE` says and however the
package was installed.
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

MAX_MILLISECONDS = 25.0
"""The milliseconds that the client may cost over aiohttp."""

AIOHTTP = "import aiohttp"
CLIENT = "from packagex_async import AsyncPackageX"
OVER = "the client over aiohttp"
LINES = {
    AIOHTTP: ("pass", AIOHTTP),
    "import packagex_async": ("pass", "import packagex_async"),
    CLIENT: ("pass", CLIENT),
    OVER: (AIOHTTP, CLIENT),
}
"""What is imported before the clock starts, and what is timed."""

Times = Mapping[str, Sequence[float]]
"""The milliseconds of each line, round by round."""

_TIMED = "import time; {}; began = time.perf_counter(); {}; print((time.perf_counter() - began) * 1000)"


def environment(cache: Path) -> dict[str, str]:
    """The environment, but that byte code is kept, and in `cache`."""
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(cache)}


def times(rounds: int) -> Times:
    """Time every line in turn, once to fill the cache and then `rounds` times."""
    with tempfile.TemporaryDirectory() as cache:
        env = environment(Path(cache))
        rounds_measured = [{name: _milliseconds(name, env) for name in LINES} for _ in range(rounds + 1)]
    return {name: [times_by_line[name] for times_by_line in rounds_measured[1:]] for name in LINES}


def table(times_by_line: Times) -> str:
    """The figures as a Markdown table."""
    lines = [f"| import | median of {len(times_by_line[OVER])} | middle half |", "|---|---:|---:|"]
    for name, values in times_by_line.items():
        lower, median, upper = statistics.quantiles(values, n=4)
        lines.append(f"| {name} | {median:.1f} ms | {lower:.1f}-{upper:.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure as the command line says, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30, help="how often each import is timed")
    parser.add_argument("--json", type=Path, help="a file for the figures, in milliseconds")
    parser.add_argument(
        "--check", action="store_true", help=f"fail above {MAX_MILLISECONDS:.0f} ms over aiohttp"
    )
    options = parser.parse_args()
    times_by_line = times(options.rounds)
    sys.stdout.write(table(times_by_line) + "\n")
    if options.json is not None:
        options.json.write_text(json.dumps(times_by_line, indent=2) + "\n")
    if options.check and statistics.median(times_by_line[OVER]) > MAX_MILLISECONDS:
        raise SystemExit(
            f"importing the client costs more than {MAX_MILLISECONDS:.0f} ms over importing aiohttp"
        )


def _milliseconds(name: str, env: Mapping[str, str]) -> float:
    # `-P`: what is beside the caller is not what was installed.
    command = [sys.executable, "-P", "-c", _TIMED.format(*LINES[name])]
    return float(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
