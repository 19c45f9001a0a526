"""Parse and validate the body of a request that creates an export."""

from __future__ import annotations

import json
from typing import Any

import attrs

from packagex_async.testing.server.listing import RESOURCES, InvalidParametersError


@attrs.frozen(kw_only=True)
class CreateRequest:
    """The body of a request that creates an export. API: Create Export.

    Attributes:
        resource: The resource to export.
        limit: The maximum number of rows; `None` for all rows.
    """

    resource: str
    limit: int | None

    @classmethod
    def parse(cls, body: bytes) -> CreateRequest:
        """Parse `body`.

        Raises:
            InvalidParametersError: A property is invalid. The error names all invalid properties.
        """
        payload = _parse_object(body)
        options, columns = payload.get("options", {}), payload.get("csv_field_options", {})
        checks = {
            "resource": payload.get("resource") in RESOURCES,
            "options": isinstance(options, dict),
            "options.limit": _is_limit(_get(options, "limit", "all")),
            "csv_field_options": isinstance(columns, dict),
            "csv_field_options.timezone": isinstance(_get(columns, "timezone", ""), str),
            "csv_field_options.datetime_format": isinstance(_get(columns, "datetime_format", ""), str),
            "csv_field_options.columns": isinstance(_get(columns, "columns", {}), dict),
        }
        if invalid := [name for name, is_valid in checks.items() if not is_valid]:
            raise InvalidParametersError(*invalid)
        limit = _get(options, "limit", "all")
        return cls(resource=payload["resource"], limit=None if limit == "all" else limit)


def _parse_object(body: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(body)
    except ValueError:
        payload = None
    if not isinstance(payload, dict):
        raise InvalidParametersError("body")
    return payload


def _get(payload: Any, name: str, default: Any) -> Any:
    return payload.get(name, default) if isinstance(payload, dict) else default


def _is_limit(value: Any) -> bool:
    return value == "all" or (isinstance(value, int) and not isinstance(value, bool) and value >= 1)
