"""The caller's line, for a warning to name: the nearest one that is not of this package."""

from __future__ import annotations

import sys
from typing import NamedTuple


class CallSite(NamedTuple):
    """A line of somebody else's code.

    Attributes:
        filename: The file it stands in.
        lineno: Its number, from 1.
        module: The name of the module.
    """

    filename: str
    lineno: int
    module: str


def find_call_site() -> CallSite:
    """Who has called this package; its outermost line where nobody else is to be seen."""
    frame = sys._getframe()  # pyright: ignore[reportPrivateUsage]  # documented all the same
    while _is_ours(name := str(frame.f_globals.get("__name__"))) and frame.f_back is not None:
        frame = frame.f_back
    return CallSite(frame.f_code.co_filename, frame.f_lineno, name)


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "packagex_async"
