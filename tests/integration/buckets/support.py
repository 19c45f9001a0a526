"""Helpers for downloads into buckets."""

from __future__ import annotations

from typing import Any

import obstore

BIG = bytes(range(256)) * 20_000


def contents(store: Any) -> dict[str, bytes]:
    """Return all objects of a store, without manifest objects."""
    keys = [item["path"] for item in obstore.list(store).collect()]
    return {key: bytes(obstore.get(store, key).bytes()) for key in keys if "_packagex/" not in key}
