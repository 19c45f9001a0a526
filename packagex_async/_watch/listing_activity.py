"""Detects whether the listing changes, so that fewer pages are requested while it does not."""

from __future__ import annotations

from packagex_async._watch.page_summary import PageSummary


class ListingActivity:
    """Whether the listing has changed since the start of the last complete scan.

    The total count of each page shows that exports were created or deleted, even if the page does not contain
    them. A listing without total counts, or with a single page, always counts as one that changes.
    """

    def __init__(self) -> None:
        self._total: int | None = None
        self._is_settled = False
        self._has_changed = False

    @property
    def is_settled(self) -> bool:
        """Whether a complete scan, and all pages since then, were without changes."""
        return self._is_settled

    def on_page(self, page: PageSummary, *, is_first_scan: bool) -> None:
        """Compare a page of the whole listing with the pages before it.

        Args:
            page: The page.
            is_first_scan: Whether it belongs to the first scan, in which all exports are new.
        """
        total = page.pagination.total_count
        is_first = self._total is None
        if (
            total is None
            or (total != self._total and not is_first)
            or (page.has_changes and not is_first_scan)
        ):
            self.on_change()
        self._total = total

    def on_change(self) -> None:
        """Record that the listing has changed, or that a page is not known."""
        self._is_settled = False
        self._has_changed = True

    def on_scan_end(self, pages: int) -> None:
        """Record the end of a scan with a number of pages."""
        self._is_settled = pages > 1 and not self._has_changed
        self._has_changed = False
