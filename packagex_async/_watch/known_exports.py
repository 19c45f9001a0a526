"""The exports that a watch has seen, so that each final export is yielded once."""

from __future__ import annotations

import enum

from packagex_async._api.statuses import is_final, is_in_progress
from packagex_async.models import LIFETIME, Export

_LIFETIME = LIFETIME.total_seconds()


class Change(enum.Enum):
    """The difference between two observations of one export."""

    NONE = enum.auto()
    PENDING = enum.auto()
    """The export is new, or has a new status, and is not final."""
    FINAL = enum.auto()
    """The export is final for the first time."""


class KnownExports:
    """The ids of exports, and when each was seen last.

    The time of the last observation decides when an id is forgotten, because creation dates may be wrong or
    missing.
    """

    def __init__(self) -> None:
        self._final: dict[str, float] = {}
        self._pending: dict[str, tuple[str | None, float]] = {}
        self._in_progress: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._final) + len(self._pending)

    @property
    def pending(self) -> int:
        """The number of exports that are not final."""
        return len(self._pending)

    def is_final(self, export_id: str) -> bool:
        """Return whether an export is known, and was final when it was seen last."""
        return export_id in self._final

    def observe(self, export: Export, now: float) -> Change:
        """Record that a response at `now` contains `export`; return what has changed."""
        if export.id in self._final:
            self._final[export.id] = now
            return Change.NONE
        if is_final(export):
            self.remove(export.id)
            self._final[export.id] = now
            return Change.FINAL
        known = self._pending.get(export.id)
        self.remove(export.id)
        self._pending[export.id] = export.status, now
        if is_in_progress(export):
            self._in_progress[export.id] = now
        return Change.NONE if known is not None and known[0] == export.status else Change.PENDING

    def remove(self, export_id: str) -> None:
        """Forget an export that is not final, if it is known."""
        self._pending.pop(export_id, None)
        self._in_progress.pop(export_id, None)

    def in_progress(self, *, unseen_since: float) -> list[str]:
        """Return the ids of exports that are queued or processing, and were not seen at or after a time.

        Exports that were not seen for the longest time come first.
        """
        unseen = [(seen_at, export_id) for export_id, seen_at in self._in_progress.items()]
        return [export_id for seen_at, export_id in sorted(unseen) if seen_at < unseen_since]

    def forget(self, *, unseen_since: float, now: float, lifetimes: int = 1) -> None:
        """Forget exports that were not seen since a time, nor within a number of lifetimes of an export."""
        limit = min(unseen_since, now - lifetimes * _LIFETIME)
        for export_id in [export_id for export_id, seen_at in self._final.items() if seen_at < limit]:
            del self._final[export_id]
        for export_id in [export_id for export_id, (_, seen_at) in self._pending.items() if seen_at < limit]:
            self.remove(export_id)
