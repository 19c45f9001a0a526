"""The fields of exports, and how they are printed. The output never contains URLs, which are secrets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TextIO

from packagex_async import Export
from packagex_async.cli.display.tables import print_fields, print_json
from packagex_async.cli.output.durations import format_duration
from packagex_async.cli.output.layout import NO_VALUE, Column

_LIFETIME = timedelta(hours=24)
"""An export is deleted this long after its creation. API: Exports."""

_DATE_WIDTH = len("2026-01-31 12:30:00Z")
"""Cells of a date, which is never shortened."""

_STATUS_STYLES = {"completed": "green", "failed": "red", "timed_out": "red"}


def _format_date(date: str) -> str:
    """Return a date of a record, which is in UTC, without fractions of a second."""
    return f"{date[:19].replace('T', ' ')}Z"


def _format_artifacts(artifacts: list[str]) -> str:
    return ", ".join(artifacts) or NO_VALUE


COLUMNS: tuple[Column, ...] = (
    Column("id", priority=0, required=True, cut_last=True, min_width=12),
    Column("status", priority=1, required=True, min_width=10, styles=_STATUS_STYLES),
    Column("resource", priority=2, min_width=8),
    Column("count_total", priority=7, right=True),
    Column("created_at", _format_date, priority=4, min_width=_DATE_WIDTH),
    Column("age", format_duration, priority=6, right=True),
    Column("expires_in", format_duration, priority=5, right=True),
    Column("name", priority=3, width=30, min_width=10),
    Column("count_batches", right=True),
    Column("updated_at", _format_date, min_width=_DATE_WIDTH),
    Column("organization_id"),
)
"""The fields of an export in a listing. Columns without priority are shown on terminals only if selected."""

DETAILS: tuple[Column, ...] = (*COLUMNS, Column("artifacts", _format_artifacts))
"""The fields of a single export."""


def to_record(export: Export, now: datetime | None = None) -> dict[str, object]:
    """Return the JSON record of an export, with all fields of `COLUMNS`.

    Dates are in ISO 8601 format. The age and the remaining lifetime are in seconds.
    """
    created = export.created_at
    age = None if created is None else (now or datetime.now(UTC)) - created
    return {
        "id": export.id,
        "status": export.status,
        "resource": export.resource,
        "count_total": export.count_total,
        "created_at": created and created.isoformat(),
        "age": None if age is None else _seconds(age),
        "expires_in": None if age is None else _seconds(_LIFETIME - age),
        "name": export.name,
        "count_batches": export.count_batches,
        "updated_at": export.updated_at and export.updated_at.isoformat(),
        "organization_id": export.organization_id,
    }


def print_export(
    export: Export, *, json: bool, columns: Sequence[Column] = DETAILS, file: TextIO | None = None
) -> None:
    """Print an export and the artifacts that it offers, as a line of JSON or as one line per field.

    Args:
        export: The export.
        json: Print JSON.
        columns: The fields.
        file: The stream. Default: stdout.
    """
    record = to_record(export) | {"artifacts": list(export.artifacts)}
    values = {column.name: record[column.name] for column in columns}
    if json:
        print_json({"event": "export"} | values, file)
    else:
        print_fields(columns, list(values.values()), file)


def _seconds(duration: timedelta) -> int:
    return max(int(duration.total_seconds()), 0)
