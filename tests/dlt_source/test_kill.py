"""A process that is killed neither loses nor duplicates rows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packagex_async.testing import Emulator
from tests.dlt_source.conftest import new_pipeline, select

ROOT = Path(__file__).parents[2]

POINTS = [
    ("second table", 0, "append"),
    ("Extract", 0, "append"),
    ("state", 1, "append"),
    ("Normalize", 1, "append"),
    ("commit", 1, "append"),
    ("first job", 1, "append"),
    ("first job", 1, "merge"),
    ("Load", 0, "append"),
    # dlt discards a pending package if there is no dataset yet.
    ("first run", 0, "append"),
]
"""The points at which the process is killed, whether a package is pending then, and the disposition."""


@pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning:dlt")
@pytest.mark.parametrize(("point", "pending", "disposition"), POINTS)
def test_killed_process(
    server: Emulator,
    source: Callable[..., Any],
    tmp_path: Path,
    point: str,
    pending: int,
    disposition: str,
) -> None:
    """After a kill, a run loads only the pending package, if there is one. The next run loads the rest."""
    for resource in ("location", "contact", "contact", "shipment"):
        server.add_export(resource=resource, rows=50)
    arguments = [str(tmp_path), server.base_url, point, disposition]
    command = [sys.executable, "-m", "tests.dlt_source.run_pipeline", *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PX_API_KEY": server.api_key}
    killed = subprocess.run(["timeout", "120", *command], cwd=ROOT, env=env, capture_output=True, text=True)
    assert killed.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), killed.stderr
    assert not list(tmp_path.rglob("tmp*"))
    new = server.add_export(rows=50)
    loads = []
    for _ in range(2 + pending):
        pipeline = new_pipeline(tmp_path)
        requests = len(server.requests)
        exports = source()
        exports.exports.apply_hints(write_disposition=disposition)
        loads.append((len(pipeline.run(exports).loads_ids), len(server.requests) > requests))
    assert loads == [*[(1, False)] * pending, (1, True), (0, True)]
    for table, count in {"location": 50, "contact": 150, "shipment": 50}.items():
        rows = select(pipeline, f"SELECT _export_id, _export_row FROM {table}")
        assert len(rows) == len(set(rows)) == count
    assert select(pipeline, f"SELECT count(*) FROM contact WHERE _export_id = '{new.id}'") == [(50,)]
