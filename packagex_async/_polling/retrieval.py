"""One export, asked for by its id: every answer about it is held against the id."""

from __future__ import annotations

from datetime import datetime

import attrs

from packagex_async._api import requests, responses
from packagex_async._transport.api_client import ApiClient
from packagex_async.models import Export


@attrs.frozen(eq=False, repr=False)
class Retrieved:
    """An export, and when it was as it is.

    Attributes:
        export: The export.
        served: The server's time when it answered, if told.
    """

    export: Export
    served: datetime | None


async def retrieve(api: ApiClient, export_id: str, *, include_csv: bool, include_json: bool) -> Retrieved:
    """Retrieve an export. API: Retrieve Export.

    Raises:
        ConfigurationError: The id cannot name an export, or the client is closed.
        ApiError: The API refused.
        ConnectionFailedError: No answer.
        DecodeError: The answer holds no export, or another one than was asked for.
    """
    target = requests.export_target(export_id, include_csv=include_csv, include_json=include_json)
    answer = await api.get(target)
    return Retrieved(responses.parse_export(answer, export_id), answer.server_date)
