"""The properties of the terminal: width, characters and colours."""

from __future__ import annotations

import shutil
from typing import TextIO

from packagex_async.cli.output.layout import Style

_ESCAPES = {"bold": "1", "green": "32", "red": "31"}
"""Styles that are legible on dark and on light backgrounds."""


def terminal_width() -> int:
    """Return the number of cells of a line: the variable COLUMNS, or the width of the terminal, or 80."""
    return shutil.get_terminal_size((80, 24)).columns


def ellipsis_for(stream: TextIO) -> str:
    """Return the mark of a shortened text that `stream` can encode."""
    try:
        "…".encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return "..."
    return "…"


def style_for(stream: TextIO) -> Style:
    """Return a function that applies a style to a text, if the terminal `stream` supports it.

    TERM=dumb disables all styles. NO_COLOR disables colours.
    """
    # The import takes long, and output without a terminal does not need it.
    from rich.console import Console

    console = Console(file=stream)
    if console.color_system is None or console.legacy_windows:
        return lambda text, _style: text
    allowed = {"bold"} if console.no_color else set(_ESCAPES)
    return lambda text, style: f"\x1b[{_ESCAPES[style]}m{text}\x1b[0m" if style in allowed else text
