"""Recovers pending load packages before dlt loads them."""

from __future__ import annotations

from typing import Any

from dlt.pipeline import trace

from packagex_async.integrations.dlt.recovery.committed_jobs import complete_committed_jobs


class LoadTracker:
    """Is called by dlt at the start and the end of each step of a pipeline."""

    def on_start_trace(self, *_: Any) -> None:
        """Do nothing."""

    def on_start_trace_step(self, _: Any, step: str, pipeline: Any) -> None:
        """Recover the pending load packages before the step that loads them."""
        if step == "load":
            complete_committed_jobs(pipeline)

    def on_end_trace_step(self, *_: Any) -> None:
        """Do nothing."""

    def on_end_trace(self, *_: Any) -> None:
        """Do nothing."""


_tracker = LoadTracker()


def register_tracker() -> None:
    """Have dlt call the tracker for all pipelines of this process."""
    if _tracker not in trace.TRACKING_MODULES:
        trace.TRACKING_MODULES.append(_tracker)
