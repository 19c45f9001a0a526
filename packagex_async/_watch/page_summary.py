"""The parts of a page of the listing that a watch needs."""

from __future__ import annotations

import attrs

from packagex_async.models import Export, Pagination


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PageSummary:
    """The result of reading one page.

    Attributes:
        number: The number of the page, from 1.
        ids: The ids of the exports.
        item_count: The number of items, malformed ones included.
        pagination: The pagination of the page.
        final: Exports that are final for the first time, and match the filters.
        has_changes: Whether an export is new or has a new status.
    """

    number: int
    ids: frozenset[str]
    item_count: int
    pagination: Pagination
    final: tuple[Export, ...] = ()
    has_changes: bool = False

    @classmethod
    def past_end(cls, number: int) -> PageSummary:
        """Return the summary of a page that does not exist."""
        return cls(number=number, ids=frozenset(), item_count=0, pagination=Pagination(has_more=False))

    @property
    def is_last(self) -> bool:
        """Whether no page follows this page.

        `has_more` decides. If it is missing, or false, the total count may show that more exports follow. An
        empty page is always the last page.
        """
        if not self.item_count:
            return True
        pagination = self.pagination
        if pagination.has_more and not pagination.inferred:
            return False
        if pagination.total_count is None:
            return not pagination.inferred
        # The returned limit may be wrong, so it is used only if `has_more` says the same.
        size = (not pagination.inferred and pagination.limit) or self.item_count
        return (self.number - 1) * size + self.item_count >= pagination.total_count
