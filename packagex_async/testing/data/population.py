"""Sample exports of an organization, all created within the last 24 hours."""

from __future__ import annotations

from typing import Any

from packagex_async.testing.data.store import Store

_HOUR = 3600.0
# The age of each export in hours, oldest first, and its arguments for `Store.add`.
_SAMPLES: tuple[tuple[float, dict[str, Any]], ...] = (
    (
        20,
        {
            "resource": "contact",
            "name": "Contacts, front desk",
            "rows": 5000,
            "error_rows": 12,
            "sanitized_rows": 4,
        },
    ),
    (18, {"resource": "shipment", "name": "Shipments last month", "rows": 4200, "error_rows": 31}),
    (15, {"resource": "tracker", "name": "Open trackers", "rows": 3100}),
    (12, {"resource": "group", "name": "Groups", "rows": 40}),
    (11, {"resource": "location", "name": "Locations EMEA", "rows": 120, "sanitized_rows": 2}),
    (9, {"resource": "shipping_label_inference", "name": "Label scans", "rows": 900, "error_rows": 7}),
    (8, {"resource": "fulfillment", "name": "Fulfillments", "rows": 350}),
    (6, {"resource": "item", "name": "Stock list", "rows": 700}),
    (5, {"resource": "manifest", "name": "Manifests", "rows": 60}),
    (4, {"resource": "asset", "name": "Assets", "rows": 210}),
    (3, {"resource": "contact", "name": "Contacts, warehouse", "rows": 1500, "sanitized_rows": 1}),
    (2, {"resource": "shipment", "name": "Shipments, all years", "status": "failed", "rows": 0}),
    (1.5, {"resource": "tracker", "name": "Tracker archive", "status": "timed_out", "rows": 0}),
    (0.2, {"resource": "shipment", "name": "Shipments today", "status": "processing", "rows": 1000}),
    (0.1, {"resource": "contact", "name": "Contacts tonight", "status": "queued", "rows": 2000}),
)


def add_sample_exports(store: Store, *, now: float) -> None:
    """Add the sample exports to `store`. `now` is the current time in seconds since the epoch."""
    for hours, arguments in _SAMPLES:
        store.add(**arguments, created_at=now - hours * _HOUR)
