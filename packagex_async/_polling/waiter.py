"""The life of an export before it can be downloaded: asked for once, then looked at until it is final."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from packagex_async import _logs
from packagex_async._api import requests, responses
from packagex_async._api.statuses import failure_error
from packagex_async._context import ClientContext
from packagex_async._polling.retrieval import Retrieved, retrieve
from packagex_async._polling.schedule import PollSchedule, outlived
from packagex_async._storage.download_urls import export_gone_error
from packagex_async._transport.api_client import ApiClient
from packagex_async.errors import (
    DecodeError,
    NotFoundError,
    RequestTimeoutError,
    UnconfirmedError,
)
from packagex_async.models import Export, ExportStatus

OnChange = Callable[[Export], object]
OnWait = Callable[[tuple[str, ...]], object]


async def create(api: ApiClient, body: bytes) -> Export:
    """Ask for an export, and never twice where the first may have been heard.

    Raises:
        UnconfirmedError: It may have been created.
        ApiError: The API refused.
        ConnectionFailedError: It was not asked for.
    """
    answer = await api.post(requests.EXPORTS_PATH, body)
    try:
        export = responses.parse_created_export(answer)
    except DecodeError as error:
        raise UnconfirmedError.after(error) from error
    _logs.unread(export)
    _logs.created(export)
    return export


class CompletionWaiter:
    """The looks at one export until it is completed.

    Args:
        export: The export, or its id.
        timeout: Seconds to wait; `None` for as long as it lives.
        on_change: Is told of every new status.
        context: What to look with.
    """

    def __init__(
        self, export: Export | str, *, timeout: float | None, on_change: OnChange, context: ClientContext
    ) -> None:
        # Who holds an export knows that it was there; an id may be of none.
        self._was_there = not isinstance(export, str)
        self._id, self._status = (export, None) if isinstance(export, str) else (export.id, export.status)
        self._waiting = PollSchedule(context.clock, timeout)
        self._on_change = on_change
        self._context = context

    async def completed(self) -> Export:
        """The export, once it is completed.

        Raises:
            ExportStateError: It will never be, or was not in time.
            ApiError: The API refused to tell of it.
            ConnectionFailedError: The API did not answer.
            DecodeError: The API's answer holds no export, or another one.
        """
        while True:
            retrieved = await self._look()
            export = retrieved.export
            self._take_note(export)
            if export.status is ExportStatus.COMPLETED:
                return export
            if (reason := failure_error(export)) is not None:
                raise reason
            past = outlived(export, retrieved.served)
            if past or not self._waiting.left:
                raise self._waiting.over(self._id, self._status, outlived=past)
            await self._context.clock.sleep(self._waiting.next_interval())

    async def _look(self) -> Retrieved:
        try:
            async with asyncio.timeout(self._waiting.last_look):
                return await retrieve(self._context.api, self._id, include_csv=True, include_json=True)
        except NotFoundError as error:
            if self._was_there:
                raise export_gone_error(self._id) from error
            raise
        except RequestTimeoutError:
            raise
        except TimeoutError:
            raise self._waiting.over(self._id, self._status) from None

    def _take_note(self, export: Export) -> None:
        self._was_there = True
        if export.status != self._status:
            self._status = export.status
            _logs.unread(export)
            _logs.changed(export)
            self._on_change(export)
