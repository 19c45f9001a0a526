"""An export's links, retrieved again once for all its artifacts when they have expired."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from packagex_async import _logs
from packagex_async._storage.storage_errors import DownloadUrl
from packagex_async._utils.redaction import sanitize
from packagex_async.errors import (
    ApiError,
    ConnectionFailedError,
    DecodeError,
    ExportGoneError,
    LinkExpiredError,
    NotFoundError,
    PackageXError,
)
from packagex_async.models import Artifact, Export


class DownloadUrls:
    """The links of one export, and the one way to fresh ones.

    Args:
        export: The export, with its URLs.
        retrieve: Retrieves it again.
    """

    def __init__(self, export: Export, retrieve: Callable[[], Awaitable[Export]]) -> None:
        self._export = export
        self._retrieve = retrieve
        self._lock = asyncio.Lock()
        self._edition = 0
        self._refused: PackageXError | None = None

    def link(self, artifact: Artifact) -> DownloadUrl | None:
        """The link to `artifact`, or `None` when the export does not offer it."""
        url = self._export.url(artifact)
        # An offer that cannot be read is no lack of one: an empty URL is refused where it is used.
        if not url and f"_{artifact}_url" not in self._export.unread:
            return None
        return DownloadUrl(export_id=self._export.id, artifact=artifact, url=url or "", edition=self._edition)

    async def fresh(self, stale: DownloadUrl) -> DownloadUrl:
        """A link that is not `stale`: one that another artifact has had retrieved, or a new one.

        Raises:
            ExportGoneError: The export is no longer there.
            LinkExpiredError: It cannot be retrieved, or offers the artifact no longer.
        """
        async with self._lock:
            await self._renew(stale)
        link = self.link(stale.artifact)
        if link is None:
            raise _expired(stale, "the export offers the artifact no longer")
        return link

    async def _renew(self, stale: DownloadUrl) -> None:
        if stale.edition != self._edition:
            return
        if self._refused is None:
            try:
                self._export = await self._retrieve()
                self._edition += 1
                _logs.urls_refreshed(stale.export_id)
                return
            except (ApiError, ConnectionFailedError, DecodeError) as error:
                self._refused = error
        if isinstance(self._refused, NotFoundError):
            raise gone(stale.export_id) from self._refused
        raise _expired(stale, f"a fresh one could not be had: {self._refused}") from self._refused


def gone(export_id: str) -> ExportGoneError:
    """The error for an export that was there, and no longer is."""
    reason = "exports are deleted 24 hours after creation"
    return ExportGoneError(f"export {sanitize(export_id)} is gone: {reason}", export_id=export_id)


def _expired(stale: DownloadUrl, why: str) -> LinkExpiredError:
    return LinkExpiredError(
        f"the link has expired, and {why}", export_id=stale.export_id, artifact=stale.artifact
    )
