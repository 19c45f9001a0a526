"""Print exports. The output never contains their URLs, which are secrets."""

from __future__ import annotations

from datetime import datetime

from packagex_async import Export
from packagex_async.cli.display.tables import print_json, print_table

_FIELDS = ("id", "name", "resource", "status", "count_total", "count_batches", "organization_id")
HEADINGS = ("id", "resource", "status", "rows", "created", "name")


def to_record(export: Export) -> dict[str, object]:
    """Return the JSON record of an export. Dates are in ISO 8601 format."""
    record: dict[str, object] = {name: getattr(export, name) for name in _FIELDS}
    for name in ("created_at", "updated_at"):
        date: datetime | None = getattr(export, name)
        record[name] = date and date.isoformat()
    return record


def to_row(export: Export) -> tuple[object, ...]:
    """Return the row of an export in a table with `HEADINGS`."""
    created = _format_date(export.created_at)
    return export.id, export.resource, export.status, export.count_total, created, export.name


def print_export(export: Export, *, json: bool) -> None:
    """Print an export and the artifacts that it offers, as a line of JSON or as a table of its fields."""
    record = to_record(export)
    if json:
        print_json(record | {"artifacts": list(export.artifacts)})
    else:
        record["artifacts"] = ", ".join(export.artifacts) or None
        print_table(("field", "value"), record.items())


def _format_date(date: datetime | None) -> str | None:
    return None if date is None else f"{date:%Y-%m-%d %H:%M:%S}Z"
