"""Recovers pipelines of this process after a kill, when dlt starts a step."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

from dlt.pipeline import trace

from packagex_async.integrations.dlt.recovery.committed_jobs import Key, complete_committed_jobs


class RecoveryTracker:
    """Recovers a pipeline after a kill. dlt calls it at the start and the end of each step.

    Args:
        key: The columns that identify a row of an export.
    """

    def __init__(self, key: Key) -> None:
        self._key = key
        self._outdated: WeakSet[Any] = WeakSet()

    def on_start_trace(self, *_: Any) -> None:
        """Do nothing."""

    def on_start_trace_step(self, current: Any, step: str, pipeline: Any) -> None:
        """Recover before the steps that use the load packages and the state.

        Args:
            current: The trace of the run, with its completed steps.
            step: The step that starts.
            pipeline: The pipeline.
        """
        if step == "load":
            has_exports = complete_committed_jobs(pipeline, self._key)
            if has_exports and not any(completed.step == "extract" for completed in current.steps):
                self._outdated.add(pipeline)
        elif step == "extract" and pipeline in self._outdated:
            self._outdated.discard(pipeline)
            _restore_state(pipeline)

    def on_end_trace_step(self, *_: Any) -> None:
        """Do nothing."""

    def on_end_trace(self, *_: Any) -> None:
        """Do nothing."""


def _restore_state(pipeline: Any) -> None:
    """Get the state of a pending package that was loaded.

    The process may have been killed before the state was saved. dlt restores it in the next process only.
    """
    if pipeline.config.restore_from_destination and not pipeline.dev_mode and not pipeline.has_pending_data:
        pipeline.sync_destination()


def register_tracker(key: Key) -> None:
    """Have dlt call one tracker for all pipelines of this process.

    Args:
        key: The columns that identify a row of an export.
    """
    if not any(isinstance(tracker, RecoveryTracker) for tracker in trace.TRACKING_MODULES):
        trace.TRACKING_MODULES.append(RecoveryTracker(key))
