"""What the body of a POST asks for, and what in it makes no sense."""

from __future__ import annotations

import json
from typing import Any

import attrs

from packagex_async.testing.server.listing import RESOURCES, BadParametersError


@attrs.frozen(kw_only=True)
class Wish:
    """An export that is asked for. API: Create Export.

    Attributes:
        resource: What it is to be of.
        limit: The most rows it may have; `None` for all.
    """

    resource: str
    limit: int | None

    @classmethod
    def read(cls, body: bytes) -> Wish:
        """The export that `body` asks for.

        Raises:
            BadParametersError: Names every property that makes no sense.
        """
        told = _object(body)
        options, columns = told.get("options", {}), told.get("csv_field_options", {})
        good = {
            "resource": told.get("resource") in RESOURCES,
            "options": isinstance(options, dict),
            "options.limit": _is_limit(_of(options, "limit", "all")),
            "csv_field_options": isinstance(columns, dict),
            "csv_field_options.timezone": isinstance(_of(columns, "timezone", ""), str),
            "csv_field_options.datetime_format": isinstance(_of(columns, "datetime_format", ""), str),
            "csv_field_options.columns": isinstance(_of(columns, "columns", {}), dict),
        }
        if bad := [name for name, verdict in good.items() if not verdict]:
            raise BadParametersError(*bad)
        limit = _of(options, "limit", "all")
        return cls(resource=told["resource"], limit=None if limit == "all" else limit)


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise BadParametersError("body")
    return told


def _of(told: Any, name: str, default: Any) -> Any:
    return told.get(name, default) if isinstance(told, dict) else default


def _is_limit(value: Any) -> bool:
    return value == "all" or (isinstance(value, int) and not isinstance(value, bool) and value >= 1)
