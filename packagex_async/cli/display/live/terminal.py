"""A live display: rows on stderr that are redrawn in place, below all other output of the command."""

from __future__ import annotations

import os
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, Self, cast

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from packagex_async.cli import stdio
from packagex_async.cli.display.live.rows import DisplayRow, layout

_REFRESHES_PER_SECOND = 8


class LiveDisplay(ABC):
    """Rows on the terminal that are updated in place while the `with` block runs, and then disappear.

    Args:
        quiet: Show nothing. Nothing is shown either if stderr cannot show a live display.
    """

    def __init__(self, *, quiet: bool) -> None:
        self.is_live: bool = not quiet and stdio.can_redraw()
        self._lock = threading.RLock()
        self._live: Live | None = None
        self._height = 0

    @abstractmethod
    def rows(self) -> Sequence[DisplayRow]:
        """Return the current rows. Another thread calls it, while it holds the lock."""

    def refresh(self) -> None:
        """Draw the rows now instead of at the next refresh."""
        if self._live is not None:
            self._live.refresh()

    def print_above(self, line: str) -> None:
        """Print a line above the rows."""
        if self._live is not None:
            self._live.console.print(Text(line), soft_wrap=True)

    def erase(self) -> None:
        """Erase the rows and show the cursor, before the process ends without leaving the `with` block."""
        codes = "\r\x1b[2K" + "\x1b[1A\x1b[2K" * max(self._height - 1, 0) + "\x1b[?25h"
        # Another thread may hold the lock of the stream.
        with suppress(OSError, ValueError):
            os.write(sys.stderr.fileno(), codes.encode())

    def __enter__(self) -> Self:
        if self.is_live:
            console = Console(
                file=cast("IO[str]", stdio.StandardError()), force_terminal=True, highlight=False
            )
            self._live = Live(
                console=console,
                get_renderable=self._render,
                refresh_per_second=_REFRESHES_PER_SECOND,
                transient=True,
                # The results on stdout must not be redirected to stderr.
                redirect_stdout=False,
                redirect_stderr=False,
            )
            stdio.set_live_area(self)
            self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if (live := self._live) is not None:
            # The last refresh draws no rows, so that none can remain on the terminal.
            self._live = None
            live.stop()
            stdio.set_live_area(None)

    def _render(self) -> Group:
        live = self._live
        if live is None:
            return Group(Text(""))
        console = live.console
        with self._lock:
            # A display that is higher than the terminal cannot be erased.
            rows = self.rows()[: max(console.height - 1, 1)]
        self._height = len(rows)
        is_ascii = not (console.encoding or "").lower().startswith("utf")
        return Group(*layout(rows, console.width, is_ascii=is_ascii))
