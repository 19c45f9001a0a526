"""An export as the API returns it."""

from __future__ import annotations

from typing import Any

REGULAR: dict[str, Any] = {
    "id": "exp_1",
    "object": "export",
    "resource": "contact",
    "status": "completed",
    "name": "May",
    "count_batches": 2,
    "count_total": 1500,
    "created_at": 1714564800,
    "updated_at": 1714564860,
    "organization_id": "org_1",
    "_json_url": "https://storage.example/a.json?sig=1",
    "_csv_url": "https://storage.example/a.csv?sig=1",
    "_csv_error_url": None,
    "_csv_sanitized_url": None,
}
