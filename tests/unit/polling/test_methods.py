"""The methods that create exports and wait for them: refused parameters, and changes of the status."""

from __future__ import annotations

from typing import Any

import pytest
from aioresponses import aioresponses

from packagex_async import AsyncPackageX, ConfigurationError, Export, ExportStatus

URL = "https://api.packagex.io/v1/exports"


async def test_created_export_is_queued(api: aioresponses) -> None:
    """`create` returns the export of the response."""
    api.post(URL, payload={"id": "exp_1", "status": "queued"})
    async with AsyncPackageX("px_key") as px:
        export = await px.exports.create("contact", options={"limit": "all"})
    assert (export.id, export.status) == ("exp_1", ExportStatus.QUEUED)


async def test_wait_reports_changes(api: aioresponses) -> None:
    """`on_change` gets the export of each response with another status."""
    api.get(f"{URL}/exp_1?include_csv=true&include_json=true", payload={"id": "exp_1", "status": "completed"})
    seen: list[Export] = []
    queued = Export(id="exp_1", status=ExportStatus.QUEUED)
    async with AsyncPackageX("px_key") as px:
        completed = await px.exports.wait(queued, on_change=seen.append)
    assert seen == [completed]


async def test_invalid_parameters(api: aioresponses) -> None:
    """No request is sent."""
    unknown: Any = ""
    async with AsyncPackageX("px_key") as px:
        with pytest.raises(ConfigurationError, match="timeout must be more than 0 seconds"):
            await px.exports.wait("exp_1", timeout=0)
        with pytest.raises(ConfigurationError, match="resource"):
            await px.exports.create(unknown)
    assert not api.requests
