"""Polls the listing, and yields each export when it becomes final.

The API has no notifications, so each poll sends up to three requests, independent of the size of the listing:

1. The next page of a scan that reads the whole listing again and again. It finds every export, whatever its
   dates are. See `listing_scan`.
2. The first page of the listing ordered by `updated_at`, newest first, and the following pages while they
   contain changes. It finds new exports and changed statuses at once, if the API updates that date.
3. A page of the exports that are queued or processing, if the watch knows of any that this poll has not seen.
   An export that is missing there has probably changed, and is retrieved. It finds changed statuses at once,
   if the API does not update the date.

A listing of one page takes one request. A poll of a larger listing takes one, too, if the last complete scan
was without changes and no export is pending: 1. and 2. then take turns until something changes. Only changes
and the first scan take more than three requests.

An export that neither 2. nor 3. finds is found by the scan: at the latest after as many polls as the listing
has pages, plus one, or twice as many if 1. and 2. take turns. If deletions move it to a page that was already
read, one more scan is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime

import attrs

from packagex_async import _logs
from packagex_async._api import responses
from packagex_async._api.list_query import ListQuery
from packagex_async._context import ClientContext
from packagex_async._listing.methods import Statuses
from packagex_async._listing.paginator import BATCH_SIZE, AnyPage, item_count
from packagex_async._polling.export_requests import retrieve_export
from packagex_async._watch.episodes import FailureEpisode, MalformedEpisode
from packagex_async._watch.known_exports import Change, KnownExports
from packagex_async._watch.listing_activity import ListingActivity
from packagex_async._watch.listing_scan import ListingScan
from packagex_async._watch.page_summary import PageSummary
from packagex_async._watch.parameters import final_export_filter, parse_interval
from packagex_async.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ConnectionFailedError,
    NotFoundError,
    PackageXError,
    PermissionDeniedError,
)
from packagex_async.models import Direction, Export, OrderBy
from packagex_async.retry import RETRYABLE_STATUSES

_IN_PROGRESS = "queued,processing"
_FATAL_ERRORS = (AuthenticationError, PermissionDeniedError, ConfigurationError)

Batches = AsyncGenerator[tuple[Export, ...], None]


def make_watcher(
    context: ClientContext,
    *,
    interval: float,
    resource: str | None,
    statuses: Statuses | None,
    search: str | None,
    created_after: datetime | None,
    created_before: datetime | None,
    limit: int,
) -> Watcher:
    """Return the watcher for the parameters of `watch`.

    Raises:
        ConfigurationError: A parameter is invalid.
    """
    query = ListQuery.from_arguments(
        page=1,
        limit=limit,
        order_by=None,
        direction=None,
        resource=resource,
        statuses=statuses,
        search=search,
    )
    accepts = final_export_filter(query.statuses, created_after, created_before)
    return Watcher(query, context, interval=parse_interval(interval), accepts=accepts)


class Watcher:
    """Yields exports as they become final, each once.

    Args:
        query: The exports to watch. Its `page`, `order_by`, `direction` and `statuses` are not used.
        context: Shared state of the client.
        interval: The seconds between two polls.
        accepts: Returns whether a final export is yielded.

    Attributes:
        error: The error that ended the last poll early, or `None`.
    """

    def __init__(
        self,
        query: ListQuery,
        context: ClientContext,
        *,
        interval: float,
        accepts: Callable[[Export], bool],
    ) -> None:
        self._query = query
        self._context = context
        self._interval = interval
        self._accepts = accepts
        self._known = KnownExports()
        self._failures = FailureEpisode(interval)
        self._malformed = MalformedEpisode()
        self.error: PackageXError | None = None
        self._has_succeeded = False
        self._poll_started_at = self._check_started_at = context.clock.monotonic()
        self._scan = ListingScan(self._poll_started_at)
        self._activity = ListingActivity()
        self._skips_scan = False
        self._covers_all = False
        self._check_page = 1
        self._has_status_filter = True
        self._parts: list[Callable[[], Batches]] = [
            self._scan_listing,
            self._read_newest,
            self._check_in_progress,
        ]

    @property
    def pending(self) -> int:
        """The number of known exports that are not final."""
        return self._known.pending

    def is_listed(self, export_id: str) -> bool:
        """Return whether a final export was listed within about 24 hours."""
        return self._known.is_final(export_id)

    async def exports(self) -> AsyncGenerator[Export, None]:
        """Yield exports without end.

        Raises:
            AuthenticationError: The API does not know the key.
            PermissionDeniedError: The key has no permission.
            PackageXError: Before the first successful response, a request failed for a reason that will not
                change.
        """
        while True:
            async with aclosing(self.poll()) as batches:
                async for batch in batches:
                    for export in batch:
                        yield export
            await self.wait()

    async def wait(self) -> None:
        """Wait until the next poll."""
        await self._context.clock.sleep(self._interval)

    async def poll(self) -> Batches:
        """Poll once, and yield batches of exports that have become final.

        Raises:
            PackageXError: See `exports`. Any other failure is stored in `error`.
        """
        self.error = None
        self._poll_started_at = self._context.clock.monotonic()
        self._covers_all = False
        self._skips_scan = not self._skips_scan
        for part in tuple(self._parts):
            if self._is_skipped(part):
                continue
            try:
                async with aclosing(part()) as batches:
                    async for batch in batches:
                        yield batch
            except PackageXError as error:
                if self._is_fatal(error):
                    raise
                self.error = error
                self._failures.on_failure(error)
                self._activity.on_change()
                # The next poll starts with the other parts, so that one bad page does not stop them.
                self._parts.remove(part)
                self._parts.append(part)
                return
        self._failures.on_success()

    def _is_skipped(self, part: Callable[[], Batches]) -> bool:
        """Return whether `part` is left out, because the listing does not change."""
        skipped = self._scan_listing if self._skips_scan else self._read_newest
        return part == skipped and self._activity.is_settled and not self._known.pending

    def _is_fatal(self, error: PackageXError) -> bool:
        """Return whether `error` ends the watch.

        Before the first successful response, the cause of an error that retries cannot fix is probably a
        wrong parameter, base URL or proxy.
        """
        if isinstance(error, _FATAL_ERRORS):
            return True
        if self._has_succeeded:
            return False
        if isinstance(error, ApiError):
            return error.status < 500 and error.status not in RETRYABLE_STATUSES
        return isinstance(error, ConnectionFailedError) and not error.retryable

    async def _scan_listing(self) -> Batches:
        while True:
            try:
                page = await self._get(self._scan.page, OrderBy.CREATED_AT, self._scan.direction)
            except PackageXError:
                self._scan.fail()
                raise
            yield page.final
            is_last = self._scan.advance(page)
            if is_last:
                self._covers_all = page.number == 1 and page.is_last
                self._end_scan(page.number)
                return
            if not (self._scan.is_first or page.has_changes):
                return

    def _end_scan(self, pages: int) -> None:
        now = self._context.clock.monotonic()
        lifetimes = 1 if self._scan.is_complete else 2
        self._known.forget(unseen_since=self._scan.started_at, now=now, lifetimes=lifetimes)
        self._malformed.on_scan_end()
        if not self._scan.is_complete:
            self._activity.on_change()
        self._activity.on_scan_end(pages)
        self._has_status_filter = True
        self._scan.restart(now)

    async def _read_newest(self) -> Batches:
        number = 1
        while not self._covers_all:
            page = await self._get(number, OrderBy.UPDATED_AT, Direction.DESC)
            yield page.final
            if page.is_last or not page.has_changes:
                return
            number += 1

    async def _check_in_progress(self) -> Batches:
        missing = self._known.in_progress(unseen_since=self._poll_started_at)
        if not missing:
            self._check_page = 1
            return
        if self._has_status_filter:
            if self._check_page == 1:
                self._check_started_at = self._poll_started_at
            page = await self._get(
                self._check_page, OrderBy.CREATED_AT, Direction.DESC, statuses=_IN_PROGRESS
            )
            yield page.final
            if not page.is_last:
                self._check_page += 1
                return
            self._check_page = 1
            missing = self._known.in_progress(unseen_since=self._check_started_at)
        for export_id in missing:
            change, final = await self._retrieve(export_id)
            yield final
            if change is not Change.FINAL:
                # The API seems to ignore `statuses`. Until the end of the scan, retrieve one export per poll.
                self._has_status_filter = False
                return

    async def _retrieve(self, export_id: str) -> tuple[Change, tuple[Export, ...]]:
        """Retrieve an export; return its change, and the export if it is final and matches the filters."""
        try:
            retrieved = await retrieve_export(
                self._context.api,
                export_id,
                include_csv=True,
                include_json=True,
                on_retry=self._failures.on_retry,
            )
        except NotFoundError:
            self._known.remove(export_id)
            return Change.FINAL, ()
        change = self._observe(retrieved.export)
        is_yielded = change is Change.FINAL and self._accepts(retrieved.export)
        return change, (retrieved.export,) if is_yielded else ()

    async def _get(
        self, number: int, order_by: OrderBy, direction: Direction, *, statuses: str | None = None
    ) -> PageSummary:
        query = attrs.evolve(self._query, order_by=order_by, direction=direction, statuses=statuses)
        try:
            response = await self._context.api.get(query.target(number), on_retry=self._failures.on_retry)
        except (NotFoundError, BadRequestError):
            if number > 1:
                return PageSummary.past_end(number)
            raise
        page = responses.parse_page(response)
        self._has_succeeded = True
        summary = await self._summarize(number, page)
        if statuses is None:
            self._activity.on_page(summary, is_first_scan=self._scan.is_first)
        return summary

    async def _summarize(self, number: int, page: AnyPage) -> PageSummary:
        ids: set[str] = set()
        final: list[Export] = []
        has_changes = False
        for position, export in enumerate(page, 1):
            if export is not None:
                ids.add(export.id)
                change = self._observe(export)
                has_changes |= change is not Change.NONE
                if change is Change.FINAL and self._accepts(export):
                    final.append(export)
            if position % BATCH_SIZE == 0:
                await asyncio.sleep(0)
        self._malformed.on_page(number, page)
        return PageSummary(
            number=number,
            ids=frozenset(ids),
            item_count=item_count(page),
            pagination=page.pagination,
            final=tuple(final),
            has_changes=has_changes,
        )

    def _observe(self, export: Export) -> Change:
        change = self._known.observe(export, self._context.clock.monotonic())
        if change is not Change.NONE:
            _logs.unread_fields(export)
        return change
