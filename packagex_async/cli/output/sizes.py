"""Sizes as text, in powers of 1024 as in the values of options such as `--max-size 10M`."""

from __future__ import annotations

_UNITS = ("KiB", "MiB", "GiB", "TiB")


def format_bytes(size: float) -> str:
    """Return a number of bytes as text without a larger unit, such as `1536 B`."""
    return f"{size:.0f} B"


def format_size(size: float) -> str:
    """Return a number of bytes as text, such as `512 B`, `1.5 KiB` or `20.0 GiB`."""
    if size < 1024:
        return f"{size:.0f} B"
    for unit in _UNITS:
        size /= 1024
        # Show 1.0 of the next unit instead of 1024.0.
        if size < 1023.95:
            return f"{size:.1f} {unit}"
    return f"{size:,.1f} {_UNITS[-1]}"
