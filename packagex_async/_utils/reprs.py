"""A short repr for records: what is known, without what is as it always is."""

from __future__ import annotations

from typing import Any

import attrs

from packagex_async._utils.redaction import sanitize

_LIMIT = 200
"""Characters of the longest text that a repr shows."""


def concise_repr(self: Any) -> str:
    """The `__repr__` of an attrs record that leaves out secrets, and what has its default."""
    told = (_told(field, getattr(self, field.name)) for field in attrs.fields(type(self)) if field.repr)
    return f"{type(self).__name__}({', '.join(filter(None, told))})"


def _told(field: attrs.Attribute[Any], value: Any) -> str | None:
    if value == field.default:
        return None
    return f"{field.name}={field.repr(value) if callable(field.repr) else _repr(value)}"


def _repr(value: Any) -> str:
    # Enums have a repr of their own; a text may come from a server, and be or contain anything.
    return repr(sanitize(value, limit=_LIMIT) if type(value) is str else value)
