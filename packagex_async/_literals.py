"""The API's words as literals: an editor offers them, and a type checker refuses one that is misspelt."""

from __future__ import annotations

from typing import Literal

StatusName = Literal["queued", "processing", "completed", "failed", "timed_out"]
ResourceName = Literal[
    "contact", "group", "location", "shipment", "tracker", "shipping_label_inference",
    "fulfillment", "item", "manifest", "asset",
]  # fmt: skip
OrderByName = Literal["created_at", "count_batches", "count_total", "updated_at"]
DirectionName = Literal["asc", "desc"]
ArtifactName = Literal["json", "csv", "csv_error", "csv_sanitized"]
