"""The download URLs of an export, refreshed once for all its artifacts when they have expired."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from packagex_async import _logs
from packagex_async._api.statuses import export_gone_error
from packagex_async._storage.download_url import DownloadUrl
from packagex_async.errors import (
    ApiError,
    ConnectionFailedError,
    DecodeError,
    LinkExpiredError,
    NotFoundError,
    PackageXError,
)
from packagex_async.models import Artifact, Export


class DownloadUrls:
    """The download URLs of an export.

    Args:
        export: The export, with its URLs.
        retrieve: Retrieves the export again, with new URLs.
    """

    def __init__(self, export: Export, retrieve: Callable[[], Awaitable[Export]]) -> None:
        self._export = export
        self._retrieve = retrieve
        self._lock = asyncio.Lock()
        self._version = 0
        self._failure: PackageXError | None = None

    def get(self, artifact: Artifact) -> DownloadUrl | None:
        """Return the URL of `artifact`, or `None` if the export does not offer it."""
        url = self._export.url(artifact)
        # A URL that could not be read counts as offered: the request of an empty URL is refused later.
        if not url and f"_{artifact}_url" not in self._export.unread:
            return None
        return DownloadUrl(export_id=self._export.id, artifact=artifact, url=url or "", version=self._version)

    async def refresh(self, expired: DownloadUrl) -> DownloadUrl:
        """Return a newer URL than `expired`; retrieve the export unless another artifact already has.

        Raises:
            ExportGoneError: The export no longer exists.
            LinkExpiredError: The export could not be retrieved, or no longer offers the artifact.
        """
        async with self._lock:
            if expired.version == self._version:
                await self._retrieve_again(expired)
        url = self.get(expired.artifact)
        if url is None:
            raise _link_expired_error(expired, "the export no longer offers the artifact")
        return url

    async def _retrieve_again(self, expired: DownloadUrl) -> None:
        if self._failure is None:
            try:
                self._export = await self._retrieve()
                self._version += 1
                _logs.urls_refreshed(expired.export_id)
                return
            except (ApiError, ConnectionFailedError, DecodeError) as error:
                self._failure = error
        if isinstance(self._failure, NotFoundError):
            raise export_gone_error(expired.export_id) from self._failure
        reason = f"the export could not be retrieved again: {self._failure}"
        raise _link_expired_error(expired, reason) from self._failure


def _link_expired_error(expired: DownloadUrl, reason: str) -> LinkExpiredError:
    return LinkExpiredError(
        f"the link has expired, and {reason}", export_id=expired.export_id, artifact=expired.artifact
    )
