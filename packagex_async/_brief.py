"""A short repr for records: what is known, without what is as it always is."""

from __future__ import annotations

from typing import Any

import attrs


def brief(self: Any) -> str:
    """The `__repr__` of an attrs record that leaves out secrets, and what has its default."""
    told = (_told(field, getattr(self, field.name)) for field in attrs.fields(type(self)) if field.repr)
    return f"{type(self).__name__}({', '.join(filter(None, told))})"


def _told(field: attrs.Attribute[Any], value: Any) -> str | None:
    if value == field.default:
        return None
    return f"{field.name}={field.repr(value) if callable(field.repr) else repr(value)}"
