"""Requests that create or retrieve one export."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from packagex_async import _logs
from packagex_async._api import requests, responses
from packagex_async._transport.api_client import ApiClient, OnRetry
from packagex_async.errors import DecodeError, UnconfirmedError
from packagex_async.models import Export


class RetrievedExport(NamedTuple):
    """An export, and the time of the response.

    Attributes:
        export: The export.
        server_date: Server time of the response, if known.
    """

    export: Export
    server_date: datetime | None


async def create_export(api: ApiClient, body: bytes) -> Export:
    """Create an export. The request is repeated only if it was certainly not executed. API: Create Export.

    Raises:
        UnconfirmedError: The export may have been created.
        ApiError: The API refused the request.
        ConnectionFailedError: The request was not sent.
    """
    response = await api.post(requests.EXPORTS_PATH, body)
    try:
        export = responses.parse_created_export(response)
    except DecodeError as error:
        raise UnconfirmedError.after(error) from error
    _logs.unread_fields(export)
    _logs.export_created(export)
    return export


async def retrieve_export(
    api: ApiClient,
    export_id: str,
    *,
    include_csv: bool,
    include_json: bool,
    on_retry: OnRetry = _logs.request_retried,
) -> RetrievedExport:
    """Retrieve an export, and check that the response has the requested id. API: Retrieve Export.

    Raises:
        ConfigurationError: The id is invalid, or the client is closed.
        ApiError: The API refused the request.
        ConnectionFailedError: The API did not respond.
        DecodeError: The response contains no export, or a different one.
    """
    target = requests.export_target(export_id, include_csv=include_csv, include_json=include_json)
    response = await api.get(target, on_retry=on_retry)
    return RetrievedExport(responses.parse_export(response, export_id), response.server_date)
