"""The workload that runs commands of `packagex-exports`: start-up is most of their time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from environment import COMMAND_LINE, WALL, Environment, Outcome, raw
from rounds import Contender, ratios
from table import Row

from packagex_async.testing import Emulator, serve_in_thread

_EXPORTS = 20
_WITHOUT_OUTPUT = ("sh", "-c", 'exec "$0" "$@" > /dev/null')
"""The benchmark reads times from stdout."""


def command_line(environment: Environment) -> Outcome:
    """Measure the help and a listing next to the import of aiohttp, each in a new process."""
    server = Emulator(populate=False)
    for _ in range(_EXPORTS):
        server.add_export(rows=1)
    key_file = environment.scratch / "key"
    key_file.write_text(server.api_key, encoding="utf-8")
    with serve_in_thread(server):
        runs = environment.run(
            _python("aiohttp", "-c", "import aiohttp"),
            _python("help", "-m", "packagex_async", "--help"),
            _python(
                "list",
                *("-m", "packagex_async", "list", "--api-key-file", str(key_file)),
                *("--base-url", server.base_url),
            ),
        )
    measures = {"help": ("--help", 1.6, 1.2), "list": (f"list with {_EXPORTS} exports", 2.0, 1.5)}
    rows = [
        Row(
            COMMAND_LINE,
            f"time of {command} vs import aiohttp",
            ratios(runs, name, "aiohttp", WALL),
            limit,
            goal,
        )
        for name, (command, limit, goal) in measures.items()
    ]
    return Outcome(rows, raw(runs))


def _python(name: str, *arguments: str) -> Contender:
    def command(_: Path) -> Sequence[str]:
        return [*_WITHOUT_OUTPUT, sys.executable, *arguments]

    return Contender(name, command, {}, ours=True)
