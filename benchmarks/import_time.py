"""What importing the client costs over importing aiohttp, without which nothing of it would work.

    python benchmarks/import_time.py --rounds 30 --check

Each import is timed in an interpreter of its own that does nothing else; aiohttp, the package alone and its
client take turns, and the differences are taken within a round. What an installed package has as byte code is
had here in any case: the interpreters keep it in a folder of the benchmark's, which a round that does not
count fills, whatever `PYTHONDONTWRITEBYTECODE` says and however the package was installed.
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

MOST = 25.0
"""The milliseconds that the client may cost over aiohttp."""

AIOHTTP = "import aiohttp"
CLIENT = "from packagex_async import AsyncPackageX"
IMPORTS = (AIOHTTP, "import packagex_async", CLIENT)

Times = Mapping[str, Sequence[float]]
"""The milliseconds of each import, round by round."""

_TIMED = "import time; began = time.perf_counter(); {}; print((time.perf_counter() - began) * 1000)"


def environment(cache: Path) -> dict[str, str]:
    """The environment, but that byte code is kept, and in `cache`."""
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(cache)}


def times(rounds: int) -> Times:
    """Time every import in turn, once to fill the cache and then `rounds` times."""
    with tempfile.TemporaryDirectory() as cache:
        env = environment(Path(cache))
        played = [{one: _milliseconds(one, env) for one in IMPORTS} for _ in range(rounds + 1)]
    return {one: [told[one] for told in played[1:]] for one in IMPORTS}


def over(told: Times, one: str) -> list[float]:
    """What an import cost more than aiohttp, round by round, in milliseconds."""
    return [ours - theirs for ours, theirs in zip(told[one], told[AIOHTTP], strict=True)]


def table(told: Times) -> str:
    """The figures as a Markdown table."""
    rows = {one: told[one] for one in IMPORTS} | {"the client over aiohttp": over(told, CLIENT)}
    lines = [f"| import | median of {len(told[AIOHTTP])} | middle half |", "|---|---:|---:|"]
    for name, values in rows.items():
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
    parser.add_argument("--check", action="store_true", help=f"fail above {MOST:.0f} ms over aiohttp")
    options = parser.parse_args()
    told = times(options.rounds)
    sys.stdout.write(table(told) + "\n")
    if options.json is not None:
        options.json.write_text(json.dumps(told, indent=2) + "\n")
    if options.check and statistics.median(over(told, CLIENT)) > MOST:
        raise SystemExit(f"importing the client costs more than {MOST:.0f} ms over importing aiohttp")


def _milliseconds(one: str, env: Mapping[str, str]) -> float:
    # `-P`: what is beside the caller is not what was installed.
    command = [sys.executable, "-P", "-c", _TIMED.format(one)]
    return float(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
