"""Conversion of the fields of an export: strict for its id, lenient for all others.

The hooks have the signature of cattrs: the value, and its type, which they do not need.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeGuard, TypeVar

import attrs

from packagex_async._utils.http_headers import to_utc
from packagex_async.models import Export

E = TypeVar("E", bound=StrEnum)

# Epoch milliseconds reach this number in 1973, epoch seconds in the year 5138.
MIN_MILLISECONDS = 100_000_000_000

TYPES: dict[str, Any] = {
    field.name: field.type
    for field in attrs.fields(attrs.resolve_types(Export))
    if field.name not in ("extra", "unread")
}
"""The type of each known field."""

KEYS = {name: f"_{name}" if name.endswith("_url") else name for name in TYPES}
"""The key of each known field in JSON."""

KNOWN_KEYS = frozenset(KEYS.values())

CONVERSION_ERRORS = (TypeError, ValueError, OverflowError, OSError)
"""What the hooks raise for a value that cannot be converted."""


def convert_id(value: Any, _: Any = None) -> str:
    """Convert an id."""
    if is_id(value):
        return value
    raise TypeError("not an id")


def is_id(value: object) -> TypeGuard[str]:
    """Return whether `value` can name an export in a URL."""
    if not isinstance(value, str):
        return False
    # Not lone surrogates, which cannot be encoded, and not `.` or `..`, which change the path.
    return value.isidentifier() or (bool(value.strip(". ")) and is_encodable(value))


def is_encodable(value: str) -> bool:
    """Return whether `value` can be encoded. JSON and command lines may contain lone surrogates."""
    return value == value.encode(errors="ignore").decode()


def convert_text(value: Any, _: Any = None) -> str | None:
    """Convert a string."""
    if value is None or isinstance(value, str):
        return value
    raise TypeError("not a string")


def convert_integer(value: Any, _: Any = None) -> int | None:
    """Convert a whole number, which may be a float or a string."""
    if value is None or type(value) is int:
        return value
    if isinstance(value, (float, str)) and int(value) == float(value):
        return int(value)
    raise TypeError("not a whole number")


def convert_datetime(value: Any, _: Any = None) -> datetime | None:
    """Convert epoch seconds, epoch milliseconds, or a time in ISO 8601."""
    if value is None:
        return None
    if isinstance(value, bool):
        raise TypeError("not a time")
    try:
        epoch = float(value)
    except ValueError:
        return to_utc(datetime.fromisoformat(value))
    return to_utc(datetime.fromtimestamp(epoch / 1000 if abs(epoch) >= MIN_MILLISECONDS else epoch, UTC))


def enum_hook(enum: type[E]) -> Callable[[Any, Any], E | None]:
    """Return the hook of an enum that accepts unknown values."""

    def convert_member(value: Any, _: Any = None) -> E | None:
        return None if value is None else enum(value)

    return convert_member


def unknown_fields(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an export that its model does not have, in their order."""
    return {key: value for key, value in raw.items() if key not in KNOWN_KEYS}
