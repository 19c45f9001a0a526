"""What the command tells of an export: never its URLs, which are secrets."""

from __future__ import annotations

from datetime import datetime

from packagex_async import Export
from packagex_async.cli.display.tables import show_json, show_table

_TOLD = ("id", "name", "resource", "status", "count_total", "count_batches", "organization_id")
HEADINGS = ("id", "resource", "status", "rows", "created", "name")


def record(export: Export) -> dict[str, object]:
    """An export as JSON tells it; times are ISO 8601."""
    told: dict[str, object] = {name: getattr(export, name) for name in _TOLD}
    for name in ("created_at", "updated_at"):
        moment: datetime | None = getattr(export, name)
        told[name] = moment and moment.isoformat()
    return told


def row(export: Export) -> tuple[object, ...]:
    """An export as a table tells it, under `HEADINGS`."""
    created = _clock(export.created_at)
    return export.id, export.resource, export.status, export.count_total, created, export.name


def show_export(export: Export, *, json: bool) -> None:
    """Write one export to stdout, with the artifacts it offers: a line of JSON, or a table of its fields."""
    told = record(export)
    if json:
        show_json(told | {"artifacts": list(export.artifacts)})
    else:
        show_table(("field", "value"), (told | {"artifacts": ", ".join(export.artifacts) or None}).items())


def _clock(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}Z"
