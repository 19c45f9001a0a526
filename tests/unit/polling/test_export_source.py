"""Exports are retrieved with the URLs of all artifacts, and only if they have no URL yet."""

from __future__ import annotations

import pytest
from aioresponses import aioresponses

from packagex_async import (
    Artifact,
    AsyncPackageX,
    Export,
    ExportGoneError,
    ExportNotReadyError,
    ExportStatus,
    NotFoundError,
)
from packagex_async._polling.export_source import ExportSource

URL = "https://api.packagex.io/v1/exports/exp_1?include_csv=true&include_json=true"
CSV_URL = "https://storage.example/exp_1.csv"
CSV = (Artifact.CSV,)
LISTED = Export(id="exp_1", status=ExportStatus.COMPLETED)


async def with_urls(export: Export | str) -> Export:
    """Return the export as `ExportSource` returns it for its CSV."""
    async with AsyncPackageX("px_key") as px:
        return await ExportSource(px.exports._context.api).with_urls(export, CSV)


@pytest.mark.parametrize("given", [LISTED, "exp_1"])
async def test_export_without_urls_is_retrieved(api: aioresponses, given: Export | str) -> None:
    """The export is retrieved by its id, with the URLs of all artifacts."""
    api.get(URL, payload={"id": "exp_1", "status": "completed", "_csv_url": CSV_URL})
    assert (await with_urls(given)).csv_url == CSV_URL


async def test_export_with_a_requested_url_is_not_retrieved(api: aioresponses) -> None:
    """An export with a requested URL causes no request."""
    export = Export(id="exp_1", status=ExportStatus.COMPLETED, csv_url=CSV_URL)
    assert await with_urls(export) is export


async def test_listed_export_was_deleted(api: aioresponses) -> None:
    """A known export that was deleted is gone. An id that was never known is not found."""
    error = {"status": 404, "payload": {"message": "no such export"}, "repeat": True}
    api.get(URL, **error)
    with pytest.raises(ExportGoneError, match="exp_1 no longer exists"):
        await with_urls(LISTED)
    with pytest.raises(NotFoundError):
        await with_urls("exp_1")


async def test_pending_export_is_refused(api: aioresponses) -> None:
    """A pending export has no artifacts yet, and is refused."""
    api.get(URL, payload={"id": "exp_1", "status": "processing"})
    with pytest.raises(ExportNotReadyError):
        await with_urls("exp_1")


async def test_urls_are_refreshed_by_retrieving_the_export(api: aioresponses) -> None:
    """The new URL replaces the expired one."""
    api.get(URL, payload={"id": "exp_1", "status": "completed", "_csv_url": f"{CSV_URL}?2"})
    async with AsyncPackageX("px_key") as px:
        urls = ExportSource(px.exports._context.api).urls(
            Export(id="exp_1", status=ExportStatus.COMPLETED, csv_url=CSV_URL)
        )
        expired = urls.get(Artifact.CSV)
        assert expired is not None
        assert (await urls.refresh(expired)).url == f"{CSV_URL}?2"
