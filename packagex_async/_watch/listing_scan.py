"""The repeated scan of the whole listing, page by page.

The first scan is ordered by creation, oldest first, because the API deletes the oldest exports first. All
later scans are ordered newest first. In that order neither new exports, which are inserted before all others,
nor the deletion of exports that are 24 hours old, which are the last ones, moves an export to a page that was
already read. A deletion in the middle of the listing can; the next scan finds such exports.
"""

from __future__ import annotations

from packagex_async._watch.page_summary import PageSummary
from packagex_async.models import Direction

MAX_FAILURES = 3
"""The number of polls after which a scan skips a page that cannot be read."""


class ListingScan:
    """The position of the current scan.

    Args:
        now: The time of the start, in seconds.

    Attributes:
        page: The number of the next page, from 1.
        started_at: The time at which the current scan started, in seconds.
        is_first: Whether this is the first scan.
        is_complete: Whether the current scan has skipped no page.
    """

    def __init__(self, now: float) -> None:
        self.page = 1
        self.started_at = now
        self.is_first = True
        self.is_complete = True
        self._failures = 0
        self._previous_ids: frozenset[str] = frozenset()

    @property
    def direction(self) -> Direction:
        """The order of the current scan."""
        return Direction.ASC if self.is_first else Direction.DESC

    def advance(self, page: PageSummary) -> bool:
        """Continue after `page`; return whether it was the last page.

        A page with the same exports as the previous page is the last one, too: the server ignores `page`.
        """
        self._failures = 0
        is_repeated = bool(page.ids) and page.ids == self._previous_ids
        self._previous_ids = page.ids
        self.page += 1
        return page.is_last or is_repeated

    def fail(self) -> None:
        """Count a failure to read the page; skip the page if it has failed repeatedly."""
        self._failures += 1
        if self._failures == MAX_FAILURES:
            self._failures = 0
            self.is_complete = False
            self.page += 1

    def restart(self, now: float) -> None:
        """Start the next scan."""
        self.page = 1
        self.started_at = now
        self.is_first = False
        self.is_complete = True
        self._previous_ids = frozenset()
