"""Durations as text."""

from __future__ import annotations

_MINUTE, _HOUR, _DAY = 60, 60 * 60, 24 * 60 * 60


def format_duration(seconds: float) -> str:
    """Return a duration as text with at most two units, such as `45s`, `12m`, `3h05m` or `2d04h`."""
    count = int(seconds)
    if count < _MINUTE:
        return f"{count}s"
    if count < _HOUR:
        return f"{count // _MINUTE}m"
    if count < _DAY:
        return f"{count // _HOUR}h{count % _HOUR // _MINUTE:02}m"
    return f"{count // _DAY}d{count % _DAY // _HOUR:02}h"
