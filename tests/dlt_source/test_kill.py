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

POINTS = {
    "second table": 0,
    "Extract": 0,
    "state": 1,
    "Normalize": 1,
    "first job": 1,
    "Load": 0,
    # dlt discards a pending package if there is no dataset yet.
    "first run": 0,
}
"""The points at which the process is killed, and whether a package is pending then."""


@pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning:dlt")
@pytest.mark.parametrize(("point", "pending"), POINTS.items())
def test_killed_process(
    server: Emulator, source: Callable[..., Any], tmp_path: Path, point: str, pending: int
) -> None:
    """After a kill, a run loads only the pending package, if there is one. The next run loads the rest."""
    for resource in ("location", "contact", "contact", "shipment"):
        server.add_export(resource=resource, rows=50)
    command = [sys.executable, "-m", "tests.dlt_source.run_pipeline", str(tmp_path), server.base_url, point]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PX_API_KEY": server.api_key}
    killed = subprocess.run(["timeout", "120", *command], cwd=ROOT, env=env, capture_output=True, text=True)
    assert killed.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), killed.stderr
    assert not list(tmp_path.rglob("tmp*"))
    new = server.add_export(rows=50)
    loads = []
    for _ in range(2 + pending):
        pipeline = new_pipeline(tmp_path)
        requests = len(server.requests)
        loads.append((len(pipeline.run(source()).loads_ids), len(server.requests) > requests))
    assert loads == [*[(1, False)] * pending, (1, True), (0, True)]
    for table, count in {"location": 50, "contact": 150, "shipment": 50}.items():
        rows = select(pipeline, f"SELECT _export_id, _export_row FROM {table}")
        assert len(rows) == len(set(rows)) == count
    assert select(pipeline, f"SELECT count(*) FROM contact WHERE _export_id = '{new.id}'") == [(50,)]
