"""The `__repr__` of attrs records: fields that have their default are left out."""

from __future__ import annotations

from typing import Any

import attrs

from packagex_async._utils.redaction import sanitize

_LIMIT = 200
"""The length in characters to which a text is cut."""


def concise_repr(self: Any) -> str:
    """Return the repr of an attrs record without secrets and without fields that have their default."""
    fields = (_field(field, getattr(self, field.name)) for field in attrs.fields(type(self)) if field.repr)
    return f"{type(self).__name__}({', '.join(filter(None, fields))})"


def _field(field: attrs.Attribute[Any], value: Any) -> str | None:
    if value == field.default:
        return None
    return f"{field.name}={field.repr(value) if callable(field.repr) else _value(value)}"


def _value(value: Any) -> str:
    # Any text may come from a server. Enums and records have a safe repr.
    return repr(sanitize(value, limit=_LIMIT) if type(value) is str else value)
