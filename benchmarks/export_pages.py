"""Response bodies of a listing of 10,000 exports, with signed URLs."""

from __future__ import annotations

import json
from typing import Any

from packagex_async import ExportResource, ExportStatus

EXPORTS, PAGE = 10_000, 100
"""The number of exports, in total and per page."""

_QUERY = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAEXAMPLEEXAMPLE00%2F20240501%2Fus-east-1%2Fs3"
    "%2Faws4_request&X-Amz-Date=20240501T120000Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature="
)


def _export(number: int, unknown: int) -> dict[str, Any]:
    url = f"https://px-exports.s3.amazonaws.com/org_1/exp_{number:022}/{{}}?{_QUERY}{number:064x}"
    return {
        "id": f"exp_{number:022}",
        "object": "export",
        "resource": tuple(ExportResource)[number % len(ExportResource)].value,
        "status": ExportStatus.COMPLETED.value,
        "name": f"Export {number} of May",
        "count_batches": number % 9 + 1,
        "count_total": number * 7,
        "created_at": 1_714_564_800 + number,
        "updated_at": 1_714_564_860 + number,
        "organization_id": "org_4fQmD2hYxW8vT1sLkZ9cBn",
        "_json_url": url.format("export.json"),
        "_csv_url": url.format("export.csv"),
        "_csv_error_url": url.format("errors.csv"),
        "_csv_sanitized_url": None,
    } | {f"unknown_{index}": f"value {number}" for index in range(unknown)}


def pages(unknown: int) -> list[bytes]:
    """Return the bodies of all pages; each export has `unknown` additional fields."""
    exports = [_export(number, unknown) for number in range(EXPORTS)]
    envelope = {"status": 200, "message": "Exports retrieved successfully.", "errors": [], "error_code": None}
    pagination = {"limit": PAGE, "has_more": True, "total_count": EXPORTS}
    return [
        json.dumps(
            envelope
            | {"data": exports[first : first + PAGE], "pagination": pagination | {"page": first // PAGE + 1}}
        ).encode()
        for first in range(0, EXPORTS, PAGE)
    ]
