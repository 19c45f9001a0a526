"""The line of the user's code that called this package, for use in warnings."""

# This module has no postponed annotations: with them, creating this class takes twice as long.
import sys
from typing import NamedTuple


class CallSite(NamedTuple):
    """A line of code outside of this package.

    Attributes:
        filename: The path of the file.
        lineno: The line number, from 1.
        module: The name of the module.
    """

    filename: str
    lineno: int
    module: str


def find_call_site() -> CallSite:
    """Return the nearest line on the call stack outside of this package, or else the outermost line."""
    # The function is documented, but its name has an underscore.
    frame = sys._getframe()  # pyright: ignore[reportPrivateUsage]
    while _is_internal(name := str(frame.f_globals.get("__name__"))) and frame.f_back is not None:
        frame = frame.f_back
    return CallSite(frame.f_code.co_filename, frame.f_lineno, name)


def _is_internal(module: str) -> bool:
    return module.partition(".")[0] == "packagex_async"
