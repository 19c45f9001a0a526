"""The method of `AsyncExports` that watches for final exports."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime

from packagex_async._concurrency.lazy_imports import importing
from packagex_async._context import ClientContext
from packagex_async._listing.methods import Statuses
from packagex_async.models import Export, ExportResource, ResourceName


class ExportWatch:
    """The method of `AsyncExports` that watches for final exports."""

    _context: ClientContext

    def watch(
        self,
        *,
        interval: float = 60.0,
        resource: ExportResource | ResourceName | None = None,
        statuses: Statuses | None = None,
        search: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int = 100,
    ) -> AsyncGenerator[Export, None]:
        """Yield each export once it is completed, failed or timed out, without end. API: List exports.

        Exports that are already final come first, the oldest first. After that, the listing is polled. An
        unknown status may still change, so an export with such a status is not yielded.

        A poll takes at most three requests if nothing has changed, however many exports there are. It takes
        one if no export is pending and the whole listing was read without changes, or if it has one page.
        Most changes are found by the next poll. If the dates of an export are wrong or missing, it is found
        after at most as many polls as the listing has pages, plus two. This takes twice as many polls if an
        export is deleted at the same time as it appears, and up to twice as many again if deletions hide it
        from a poll. Choose an `interval` for which this is less than 24 hours: then the API deletes the
        export.

        Ids of yielded exports are remembered until 24 hours after the API has last listed them, and are not
        stored. A new watch yields all final exports again.

        A 429 or 5xx response, a lost connection, a timeout and a malformed response do not end the watch. The
        request is repeated under the `RetryPolicy`, and then by the next poll, also if the server requests a
        longer wait. Such failures are logged once until a poll succeeds. Malformed items are logged once, and
        left out.

        Closing the generator or the client ends the watch at once. Wrap the generator in
        `contextlib.aclosing` to close it when the loop ends early.

        Args:
            interval: Seconds between the end of a poll and the start of the next one; above 0.
            resource: Only exports of this resource, such as `"contact"` (see `ExportResource`).
            statuses: Only exports with this status, or one of these; at least one of `"completed"`,
                `"failed"` and `"timed_out"`. The client filters.
            search: Only exports whose name matches.
            created_after: Only exports created at this date or later; see `list`.
            created_before: Only exports created before this date; see `list`.
            limit: Maximum number of exports per page; the API may use a lower one.

        Returns:
            An async generator of exports.

        Raises:
            ConfigurationError: At the call: a parameter is invalid. Later: the client is closed.
            AuthenticationError: The API does not know the key.
            PermissionDeniedError: The key has no permission.
            ApiError: The API refused the first request for a reason that will not change, such as an invalid
                parameter. Later such responses do not end the watch.
            ConnectionFailedError: There was no first response, and its `retryable` is false.
        """
        with importing("watch()"):
            from packagex_async._watch.watcher import make_watcher
        watcher = make_watcher(
            self._context,
            interval=interval,
            resource=resource,
            statuses=statuses,
            search=search,
            created_after=created_after,
            created_before=created_before,
            limit=limit,
        )
        return self._context.operations.steps("watch()", watcher.exports())
