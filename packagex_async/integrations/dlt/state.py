"""The exports that were loaded, in the state of the dlt resource."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

LIFETIME = timedelta(hours=24)
"""The time after which the API deletes an export. API: Exports."""

LISTING = "listing"
"""The key of a failure of the listing, among those of exports."""

_HOUR = "%Y-%m-%dT%HZ"


class LoadState:
    """Reads and changes the state of the resource. dlt commits the state together with the rows.

    The ids of loaded exports are in lists by the hour in which they were loaded. An export of an earlier run
    is forgotten 24 hours later, when the API has deleted it.

    Args:
        state: The state of the resource, which is changed in place.
        now: The current time, aware.
    """

    def __init__(self, state: dict[str, Any], now: datetime) -> None:
        self._state = state
        self._now = now
        self._hour = now.astimezone(UTC).strftime(_HOUR)
        self._listed: set[str] = set()

    def is_loaded(self, export_id: str) -> bool:
        """Return whether all rows of an export that is in the listing were loaded."""
        self._listed.add(export_id)
        return export_id in self._loaded

    @cached_property
    def _loaded(self) -> set[str]:
        """The ids of the exports that earlier runs loaded."""
        return {export_id for ids in self._state.get("loaded", {}).values() for export_id in ids}

    def loaded_rows(self, export_id: str) -> int:
        """Return the number of rows of an export that an earlier run loaded before it reached a limit."""
        count: int = self._state.get("partial", {}).get(export_id, (0, ""))[0]
        return count

    def record_rows(self, export_id: str, count: int) -> None:
        """Record that the first `count` rows of an export are part of this load."""
        self._state.setdefault("partial", {})[export_id] = [count, self._hour]

    def record_export(self, export_id: str) -> None:
        """Record that all rows of an export are part of this load, or that it has none."""
        self._remove_partial([export_id])
        self._state.setdefault("loaded", {}).setdefault(self._hour, []).append(export_id)

    def set_failures(self, failures: Mapping[str, str]) -> None:
        """Replace the failures of the last run.

        Args:
            failures: Messages by the ids of exports.
        """
        self._state.pop("failed", None)
        if failures:
            self._state["failed"] = dict(failures)

    def forget_deleted(self) -> None:
        """Forget exports that do not exist any more. The listing of this run must be complete."""
        oldest = (self._now - LIFETIME - timedelta(hours=1)).astimezone(UTC).strftime(_HOUR)
        loaded: dict[str, list[str]] = self._state.get("loaded", {})
        for hour in [hour for hour in loaded if hour < oldest]:
            if existing := [export_id for export_id in loaded[hour] if export_id in self._listed]:
                loaded[hour] = existing
            else:
                del loaded[hour]
        partial: dict[str, tuple[int, str]] = self._state.get("partial", {})
        self._remove_partial(
            [
                export_id
                for export_id, (_, hour) in partial.items()
                if hour < oldest and export_id not in self._listed
            ]
        )

    def _remove_partial(self, export_ids: list[str]) -> None:
        partial = self._state.get("partial", {})
        for export_id in export_ids:
            partial.pop(export_id, None)
        if not partial:
            self._state.pop("partial", None)
