"""A PostgreSQL server for the examples of a page."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_LIMIT = 300
"""Seconds after which the server is stopped, also if the tests are killed."""

_USER = "postgres"


@contextlib.contextmanager
def postgres() -> Iterator[dict[str, str]]:
    """Run a server on a Unix socket; yield the environment variables for its clients."""
    # The server refuses to run as root.
    identity: dict[str, Any] = {"user": _USER, "group": _USER, "extra_groups": []} if not os.geteuid() else {}
    # The path of a socket is short.
    with tempfile.TemporaryDirectory(prefix="packagex-", ignore_cleanup_errors=True) as folder:
        data = Path(folder, "data")
        if identity:
            shutil.chown(folder, _USER, _USER)
        create = [_program("initdb"), "-D", str(data), "-U", _USER, "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(create, check=True, stdout=subprocess.DEVNULL, cwd="/", **identity)
        serve = [_program("postgres"), "-D", str(data), "-k", folder, "-h", "", "-F"]
        with subprocess.Popen(
            ["timeout", str(_LIMIT), *serve], stderr=subprocess.PIPE, text=True, cwd="/", **identity
        ) as server:
            assert server.stderr
            try:
                assert any("ready to accept connections" in line for line in server.stderr)
                yield {"PGHOST": folder, "PGUSER": _USER, "PGDATABASE": "postgres"}
            finally:
                server.terminate()


def _program(name: str) -> str:
    # Debian installs the programs of a server outside of PATH.
    folders = [os.environ["PATH"], *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin")))]
    program = shutil.which(name, path=os.pathsep.join(folders))
    assert program, f"{name} is not installed"
    return program
