"""The recovery at the start of a step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packagex_async.testing import Emulator
from tests.dlt_source.conftest import ids, new_pipeline

Source = Callable[..., Any]

pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning:dlt")


def kill_before_saved_state(pipeline: Any, source: Any) -> None:
    """Extract, as a process that is killed before it saves the state of the pipeline."""
    state = Path(pipeline.working_dir, "state.json")
    before = state.read_bytes()
    pipeline.extract(source)
    state.write_bytes(before)


def test_state_of_a_pending_package(server: Emulator, source: Source, tmp_path: Path, pipeline: Any) -> None:
    """Runs of one pipeline object after a kill load each export once."""
    server.add_export(rows=3)
    pipeline.run(source())
    server.add_export(rows=3)
    kill_before_saved_state(pipeline, source())
    pipeline = new_pipeline(tmp_path)
    assert [len(pipeline.run(source()).loads_ids) for _ in range(3)] == [1, 0, 0]
    assert len(ids(pipeline)) == 6


def test_state_that_is_not_restored(
    server: Emulator, source: Source, tmp_path: Path, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting of dlt that turns the restoration off is respected."""
    monkeypatch.setenv("RESTORE_FROM_DESTINATION", "false")
    server.add_export(rows=3)
    pipeline.run(source())
    server.add_export(rows=3)
    kill_before_saved_state(pipeline, source())
    pipeline = new_pipeline(tmp_path)
    assert [len(pipeline.run(source()).loads_ids) for _ in range(3)] == [1, 1, 0]


def test_one_tracker(source: Source) -> None:
    """Several sources register one tracker."""
    from dlt.pipeline import trace

    for _ in range(2):
        source()
    assert [type(tracker).__name__ for tracker in trace.TRACKING_MODULES].count("RecoveryTracker") == 1
