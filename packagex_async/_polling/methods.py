"""The methods of `AsyncExports` that create exports and wait for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from packagex_async._concurrency.lazy_imports import importing
from packagex_async._context import ClientContext
from packagex_async._polling.export_requests import create_export
from packagex_async._polling.schedule import check_timeout
from packagex_async._polling.waiter import CompletionWaiter, OnChange
from packagex_async.models import Export, ExportResource, ResourceName

if TYPE_CHECKING:
    from packagex_async.creation import CsvFieldOptions


class ExportCreation:
    """The methods of `AsyncExports` that create exports and wait for them."""

    _context: ClientContext

    async def create(
        self,
        resource: ExportResource | ResourceName,
        *,
        options: Mapping[str, Any] | None = None,
        csv_field_options: CsvFieldOptions | Mapping[str, Any] | None = None,
    ) -> Export:
        """Create an export. API: Create Export.

        The API has no idempotency key. So the request is repeated only if it was certainly not executed:
        without a connection, or after a 429 response.

        Args:
            resource: The resource to export, such as `"contact"` (see `ExportResource`).
            options: Filters of the resource's own list API, such as `limit` (a number, or `"all"`),
                `order_by`, `direction`, and `created_at` like `"gte:2024-01-01"`.
            csv_field_options: Format of the CSV. A mapping is sent unchanged.

        Returns:
            The queued export. Use `wait` until it is completed.

        Raises:
            ConfigurationError: A parameter is invalid, or the client is closed; nothing was sent.
            UnconfirmedError: The export may have been created: no response, a 5xx response, or a malformed
                one.
            ApiError: The API refused the request. `BadRequestError.errors` has the invalid fields.
            ConnectionFailedError: There was no connection; nothing was created.
        """
        with importing("create()"):
            from packagex_async.creation import creation_body
        body = creation_body(resource, options, csv_field_options)
        with self._context.operations.running("create()"):
            return await create_export(self._context.api, body)

    async def wait(
        self, export: Export | str, *, timeout: float | None = None, on_change: OnChange | None = None
    ) -> Export:
        """Wait until an export is completed. API: Retrieve Export.

        The export is requested in growing intervals of 1 to 30 seconds, with jitter. An unknown status is
        treated like `processing`.

        Args:
            export: The export, or its id.
            timeout: Maximum seconds to wait; the last request may take one second more. Default and maximum:
                until the export is 24 hours old, when the API deletes it.
            on_change: Called in the event loop with the export when its status has changed. It should return
                quickly.

        Returns:
            The completed export, with its URLs.

        Raises:
            WaitTimeoutError: The export was not completed within `timeout` seconds (also a `TimeoutError`).
            ExportFailedError: The API could not prepare the export.
            ExportTimedOutError: The API stopped preparing the export.
            ExportGoneError: The export was deleted, or is 24 hours old.
            NotFoundError: No export has this id.
            ConfigurationError: The id or the timeout is invalid, or the client is closed.
            ApiError: The API refused the request, also after retries.
            ConnectionFailedError: The API did not respond, also after retries.
            DecodeError: The response contains no export, or a different one.
        """
        check_timeout(timeout)
        waiter = CompletionWaiter(
            export, timeout=timeout, on_change=on_change or ignore_change, context=self._context
        )
        with self._context.operations.running("wait()"):
            return await waiter.wait()


def ignore_change(_: Export) -> None:
    """Default of `on_change`."""
