"""Requests that create or retrieve one export, and the decoding of their responses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from aioresponses import aioresponses

from packagex_async import AsyncPackageX, DecodeError, UnconfirmedError
from packagex_async._polling.export_requests import create_export, retrieve_export

URL = "https://api.packagex.io/v1/exports"


async def test_retrieved_export_has_the_server_time(api: aioresponses) -> None:
    """It is the `Date` header of the response."""
    headers = {"Date": "Fri, 02 Jan 2026 00:00:00 GMT"}
    api.get(f"{URL}/exp_1?include_csv=true", payload={"id": "exp_1"}, headers=headers)
    async with AsyncPackageX("px_key") as px:
        client = px.exports._context.api
        retrieved = await retrieve_export(client, "exp_1", include_csv=True, include_json=False)
    assert retrieved.export.id == "exp_1"
    assert retrieved.server_date == datetime(2026, 1, 2, tzinfo=UTC)


async def test_response_without_date(api: aioresponses) -> None:
    """The server time is unknown then."""
    api.get(f"{URL}/exp_1?include_json=true", payload={"id": "exp_1"})
    async with AsyncPackageX("px_key") as px:
        client = px.exports._context.api
        retrieved = await retrieve_export(client, "exp_1", include_csv=False, include_json=True)
    assert retrieved.server_date is None


async def test_response_about_another_export_is_an_error(api: aioresponses) -> None:
    """The message has both ids."""
    api.get(f"{URL}/exp_1", payload={"id": "exp_2"})
    async with AsyncPackageX("px_key") as px:
        with pytest.raises(DecodeError, match="contains export exp_2 instead of the requested export exp_1"):
            await retrieve_export(px.exports._context.api, "exp_1", include_csv=False, include_json=False)


async def test_malformed_response_to_create_is_unconfirmed(api: aioresponses) -> None:
    """The request was accepted, so the export may exist."""
    api.post(URL, payload={"status": "queued"}, status=201)
    async with AsyncPackageX("px_key") as px:
        with pytest.raises(UnconfirmedError) as caught:
            await create_export(px.exports._context.api, b"{}")
    assert isinstance(caught.value.__cause__, DecodeError)
