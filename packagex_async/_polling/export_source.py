"""Retrieves exports together with their download URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packagex_async import _logs
from packagex_async._api.statuses import check_downloadable, export_gone_error
from packagex_async._polling.export_requests import RetrievedExport, retrieve_export
from packagex_async._transport.api_client import ApiClient
from packagex_async.errors import NotFoundError
from packagex_async.models import Artifact, Export

if TYPE_CHECKING:
    from packagex_async._storage.download_urls import DownloadUrls


class ExportSource:
    """Retrieves exports with the URLs of all artifacts.

    Args:
        api: Sends requests to the API.
    """

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    async def retrieve(self, export_id: str) -> RetrievedExport:
        """Retrieve an export with its URLs. API: Retrieve Export.

        Raises:
            PackageXError: See `retrieve_export`.
        """
        retrieved = await retrieve_export(self._api, export_id, include_csv=True, include_json=True)
        _logs.unread_fields(retrieved.export)
        return retrieved

    async def with_urls(self, export: Export | str, artifacts: tuple[Artifact, ...]) -> Export:
        """Return a completed export with its URLs.

        Args:
            export: The export, or its id. It is retrieved unless it has the URL of a requested artifact.
            artifacts: The requested artifacts.

        Raises:
            ExportStateError: The export is not completed, has failed, or was deleted.
            PackageXError: See `retrieve_export`.
        """
        if isinstance(export, str):
            return check_downloadable((await self.retrieve(export)).export)
        if any(export.url(artifact) for artifact in artifacts):
            return check_downloadable(export)
        try:
            return check_downloadable((await self.retrieve(export.id)).export)
        except NotFoundError as error:
            raise export_gone_error(export.id) from error

    def urls(self, export: Export) -> DownloadUrls:
        """Return the URLs of `export`, which can be refreshed."""
        from packagex_async._storage.download_urls import DownloadUrls

        async def retrieve() -> Export:
            return (await self.retrieve(export.id)).export

        return DownloadUrls(export, retrieve)
