"""Wait until one export is completed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from packagex_async import _logs
from packagex_async._api.statuses import export_gone_error, failure_error
from packagex_async._context import ClientContext
from packagex_async._polling.export_requests import RetrievedExport, retrieve_export
from packagex_async._polling.schedule import PollSchedule, is_expired
from packagex_async.errors import NotFoundError, RequestTimeoutError
from packagex_async.models import Export, ExportStatus

OnChange = Callable[[Export], object]
OnWait = Callable[[tuple[str, ...]], object]


class CompletionWaiter:
    """Polls one export until it is completed.

    Args:
        export: The export, or its id.
        timeout: Seconds to wait; `None` waits until the export is 24 hours old.
        on_change: Called with the export at every change of its status.
        context: Shared state of the client.
    """

    def __init__(
        self, export: Export | str, *, timeout: float | None, on_change: OnChange, context: ClientContext
    ) -> None:
        # An `Export` did exist. A bare id may be wrong.
        self._has_existed = not isinstance(export, str)
        self._id, self._status = (export, None) if isinstance(export, str) else (export.id, export.status)
        self._schedule = PollSchedule(context.clock, timeout)
        self._on_change = on_change
        self._context = context

    async def wait(self) -> Export:
        """Return the export when it is completed.

        Raises:
            ExportStateError: The export failed, was deleted, or was not completed in time.
            ApiError: The API refused the request.
            ConnectionFailedError: The API did not respond.
            DecodeError: The response contains no export, or a different one.
        """
        while True:
            retrieved = await self._poll()
            export = retrieved.export
            self._update(export)
            if export.status is ExportStatus.COMPLETED:
                return export
            if (error := failure_error(export)) is not None:
                raise error
            has_expired = is_expired(export, retrieved.server_date)
            if has_expired or not self._schedule.remaining:
                raise self._schedule.timeout_error(self._id, self._status, is_expired=has_expired)
            await self._context.clock.sleep(self._schedule.next_interval())

    async def _poll(self) -> RetrievedExport:
        try:
            async with asyncio.timeout(self._schedule.request_timeout):
                return await retrieve_export(self._context.api, self._id, include_csv=True, include_json=True)
        except NotFoundError as error:
            if self._has_existed:
                raise export_gone_error(self._id) from error
            raise
        except RequestTimeoutError:
            raise
        except TimeoutError:
            raise self._schedule.timeout_error(self._id, self._status) from None

    def _update(self, export: Export) -> None:
        self._has_existed = True
        if export.status != self._status:
            self._status = export.status
            _logs.unread_fields(export)
            _logs.status_changed(export)
            self._on_change(export)
