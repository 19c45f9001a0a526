"""The parameters of a watch: their checks, and the filters that the client applies."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

from packagex_async._api.statuses import FINAL_STATUSES
from packagex_async._listing.creation_filter import CreationFilter
from packagex_async.errors import ConfigurationError
from packagex_async.models import Export


def parse_interval(interval: float) -> float:
    """Return the seconds between two polls.

    Raises:
        ConfigurationError: It is not a finite number above 0.
    """
    is_number = isinstance(interval, (int, float)) and not isinstance(interval, bool)
    if not (is_number and 0 < interval < math.inf):
        raise ConfigurationError(f"interval must be a number of seconds above 0, not {interval!r}")
    return interval


def final_export_filter(
    statuses: str | None, created_after: datetime | None, created_before: datetime | None
) -> Callable[[Export], bool]:
    """Return a function that returns whether a final export is yielded.

    Args:
        statuses: The statuses, separated by commas; `None` means all.
        created_after: See `CreationFilter`.
        created_before: See `CreationFilter`.

    Raises:
        ConfigurationError: A parameter is invalid, or no status is final.
    """
    selected = _final_statuses(statuses)
    created = CreationFilter.from_arguments(created_after=created_after, created_before=created_before)

    def accepts(export: Export) -> bool:
        return export.status in selected and (created is None or created.accepts(export))

    return accepts


def _final_statuses(statuses: str | None) -> frozenset[str]:
    selected = FINAL_STATUSES if statuses is None else FINAL_STATUSES & frozenset(statuses.split(","))
    if not selected:
        raise ConfigurationError(
            f"statuses must contain completed, failed or timed_out, not {statuses!r}: "
            "only final exports are yielded"
        )
    return selected
