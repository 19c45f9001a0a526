"""The methods of `AsyncExports` that list exports."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from datetime import datetime

from packagex_async._api.requests import check_integer
from packagex_async._concurrency.lazy_imports import importing
from packagex_async._context import ClientContext
from packagex_async.models import (
    Direction,
    DirectionName,
    Export,
    ExportResource,
    ExportStatus,
    OrderBy,
    OrderByName,
    Page,
    ResourceName,
    StatusName,
)

Statuses = ExportStatus | StatusName | Iterable[ExportStatus | StatusName]


class ExportListings:
    """The methods of `AsyncExports` that list exports."""

    _context: ClientContext

    def list(
        self,
        *,
        page: int = 1,
        limit: int = 100,
        order_by: OrderBy | OrderByName | None = None,
        direction: Direction | DirectionName | None = None,
        resource: ExportResource | ResourceName | None = None,
        statuses: Statuses | None = None,
        search: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        prefetch: int = 16,
    ) -> AsyncGenerator[Export, None]:
        """List all matching exports, each once. API: List exports.

        Every export that exists from the first to the last request is yielded once, even if exports are
        created or deleted meanwhile. If responses show that exports were deleted, the pages are read again at
        the end; exports that are found then come last. No request is sent before the first iteration.

        Leaving the loop early cancels all requests. Wrap the generator in `contextlib.aclosing` to cancel
        them at once.

        Malformed items (not an export, or no usable id) do not end the listing. They are logged as a warning,
        all exports are yielded, and the `DecodeError` at the end describes the first malformed item.

        Args:
            page: Number of the first page, from 1.
            limit: Maximum number of exports per page; the API may use a lower one.
            order_by: Field to order by: `"created_at"` (default), `"updated_at"`, `"count_batches"` or
                `"count_total"`.
            direction: `"asc"` (default) or `"desc"`.
            resource: Only exports of this resource, such as `"contact"` (see `ExportResource`).
            statuses: Only exports with this status, or one of these, such as `"completed"` (see
                `ExportStatus`).
            search: Only exports whose name matches.
            created_after: Only exports created at this date or later; a `datetime` with a time zone. The API
                has no such filter, so all exports are requested. Exports without a known creation date match.
            created_before: Only exports created before this date; likewise.
            prefetch: Maximum number of pages to request ahead and to keep in memory; 0 requests one page
                after another.

        Returns:
            An async generator of exports.

        Raises:
            ConfigurationError: At the call: a parameter is invalid. Later: the client is closed.
            PaginationError: The listing repeats a page or does not advance.
            ApiError: The API refused a request.
            ConnectionFailedError: The API did not respond.
            DecodeError: A response is not a page of exports; at the end: pages contained malformed items.
        """
        with importing("list()"):
            from packagex_async._api.list_query import ListQuery
            from packagex_async._listing.creation_filter import CreationFilter
            from packagex_async._listing.lister import list_exports
        return list_exports(
            ListQuery.from_arguments(
                page=page,
                limit=limit,
                order_by=order_by,
                direction=direction,
                resource=resource,
                statuses=statuses,
                search=search,
            ),
            self._context,
            check_integer("prefetch", prefetch, min_value=0),
            CreationFilter.from_arguments(created_after=created_after, created_before=created_before),
        )

    def pages(
        self,
        *,
        page: int = 1,
        limit: int = 100,
        order_by: OrderBy | OrderByName | None = None,
        direction: Direction | DirectionName | None = None,
        resource: ExportResource | ResourceName | None = None,
        statuses: Statuses | None = None,
        search: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        prefetch: int = 16,
    ) -> AsyncGenerator[Page, None]:
        """List all matching exports, one page at a time. API: List exports, Pagination.

        The `data` of a page does not contain exports of earlier pages, and no exports outside of the creation
        dates. Its `malformed` is the number of malformed items. Parameters and errors are those of `list`.

        Returns:
            An async generator of pages.

        Raises:
            PackageXError: See `list`.
        """
        with importing("pages()"):
            from packagex_async._api.list_query import ListQuery
            from packagex_async._listing.creation_filter import CreationFilter
            from packagex_async._listing.lister import list_pages
        return list_pages(
            ListQuery.from_arguments(
                page=page,
                limit=limit,
                order_by=order_by,
                direction=direction,
                resource=resource,
                statuses=statuses,
                search=search,
            ),
            self._context,
            check_integer("prefetch", prefetch, min_value=0),
            CreationFilter.from_arguments(created_after=created_after, created_before=created_before),
        )
