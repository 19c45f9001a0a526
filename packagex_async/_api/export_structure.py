"""The conversion of one export from JSON, with cattrs: strict for ids, lenient for all other fields."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, TypeGuard, TypeVar

import attrs

from packagex_async._utils.http_headers import to_utc
from packagex_async.models import Export, ExportResource, ExportStatus

E = TypeVar("E", bound=StrEnum)

# Epoch milliseconds reach this number in 1973, epoch seconds in the year 5138.
_MIN_MILLISECONDS = 100_000_000_000

_KEYS = {
    field.name: f"_{field.name}" if field.name.endswith("_url") else field.name
    for field in attrs.fields(attrs.resolve_types(Export))
    if field.name not in ("extra", "unread")
}
# The key of the unknown fields. A field with this name is one of them.
_EXTRA_KEY = "<extra>"

EMPTY_EXPORT: dict[str, Any] = dict.fromkeys(_KEYS.values())
"""All fields of an export as null, which is equivalent to missing."""

# The hooks run for every field of every export, so each one checks the most common value first.


def _convert_id(value: Any, _: Any) -> str:
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


def _convert_text(value: Any, _: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError("not a string")


def convert_integer(value: Any, _: Any = None) -> int | None:
    if value is None or type(value) is int:
        return value
    if isinstance(value, (float, str)) and int(value) == float(value):
        return int(value)
    raise TypeError("not a whole number")


def _convert_datetime(value: Any, _: Any) -> datetime | None:
    if type(value) is int and 0 <= value < _MIN_MILLISECONDS:
        return datetime.fromtimestamp(value, UTC)
    return None if value is None else _convert_other_datetime(value)


def _convert_other_datetime(value: Any) -> datetime:
    if isinstance(value, bool):
        raise TypeError("not a time")
    try:
        epoch = float(value)
    except ValueError:
        return to_utc(datetime.fromisoformat(value))
    return to_utc(datetime.fromtimestamp(epoch / 1000 if abs(epoch) >= _MIN_MILLISECONDS else epoch, UTC))


class _Members(dict[Any, E | None]):
    """The members of an open enum by value. An unknown value becomes a member when it is looked up."""

    def __init__(self, enum: type[E]) -> None:
        known: dict[Any, E | None] = {None: None, **{member.value: member for member in enum}}
        super().__init__(known)
        self._enum = enum

    def __missing__(self, value: Any) -> E:
        return self._enum(value)

    def convert(self, value: Any, _: Any) -> E | None:
        """Return the member for `value`; a hook for cattrs."""
        return self[value]


_RESOURCES = _Members(ExportResource)
_STATUSES = _Members(ExportStatus)


@cache
def _cattrs_hook() -> Callable[[dict[str, Any], type[Export]], Export]:
    """Return the function that converts a dict with all fields, and with the unknown ones at `_EXTRA_KEY`."""
    # Imported at the first response: cattrs would be a third of the import time of this package.
    import cattrs
    from cattrs.gen import make_dict_structure_fn_from_attrs, override

    converter = cattrs.Converter(detailed_validation=False, prefer_attrib_converters=True)
    converter.register_structure_hook(str, _convert_id)
    converter.register_structure_hook(str | None, _convert_text)
    converter.register_structure_hook(int | None, convert_integer)
    converter.register_structure_hook(datetime | None, _convert_datetime)
    converter.register_structure_hook(ExportStatus | None, _STATUSES.convert)
    converter.register_structure_hook(ExportResource | None, _RESOURCES.convert)
    keys = _KEYS | {"extra": _EXTRA_KEY}
    # Without defaults, the code that cattrs generates does not check which keys exist.
    fields = [field.evolve(default=attrs.NOTHING) for field in attrs.fields(Export) if field.name in keys]
    overrides = {name: override(rename=key) for name, key in keys.items()}
    return make_dict_structure_fn_from_attrs(
        fields, Export, converter, **overrides  # type: ignore[arg-type]  # by field name
    )  # fmt: skip


def structure_export(raw: dict[str, Any]) -> Export:
    """Return the export for a JSON object.

    Raises:
        TypeError: A field has a value that cannot be converted.
        ValueError: Likewise.
        OverflowError: Likewise.
        OSError: Likewise.
    """
    values = EMPTY_EXPORT | raw
    # Unknown fields follow all known ones.
    unknown = [values.popitem() for _ in range(len(values) - len(EMPTY_EXPORT))]
    extra = dict(reversed(unknown))
    if _have_documented_types(tuple(map(type, values.values()))) and values["id"].isidentifier():
        return _documented_export(values, extra)
    values[_EXTRA_KEY] = extra
    return _cattrs_hook()(values, Export)


_DOCUMENTED_TYPES = tuple(
    int if field.type in (int | None, datetime | None) else str
    for field in attrs.fields(Export)
    if field.name in _KEYS
)


@lru_cache(maxsize=64)
def _have_documented_types(types: tuple[type, ...]) -> bool:
    """Return whether the types of all fields are those that the API documents; all but the id may be null."""
    return types[0] is str and all(
        kind is type(None) or kind is documented
        for kind, documented in zip(types, _DOCUMENTED_TYPES, strict=True)
    )


def _documented_export(values: dict[str, Any], extra: dict[str, Any]) -> Export:
    """Return an export whose texts and numbers need no check.

    cattrs and `Export.__init__` take 17 % longer, because they call a function for each field.
    """
    export = Export.__new__(Export)
    fields = vars(export)
    fields["id"] = values["id"]
    fields["object"] = values["object"]
    fields["resource"] = _RESOURCES[values["resource"]]
    fields["status"] = _STATUSES[values["status"]]
    fields["name"] = values["name"]
    fields["count_batches"] = values["count_batches"]
    fields["count_total"] = values["count_total"]
    fields["created_at"] = _convert_datetime(values["created_at"], None)
    fields["updated_at"] = _convert_datetime(values["updated_at"], None)
    fields["organization_id"] = values["organization_id"]
    fields["json_url"] = values["_json_url"] or None
    fields["csv_url"] = values["_csv_url"] or None
    fields["csv_error_url"] = values["_csv_error_url"] or None
    fields["csv_sanitized_url"] = values["_csv_sanitized_url"] or None
    fields["extra"] = MappingProxyType(extra) if extra else _NO_EXTRA
    fields["unread"] = ()
    return export


_NO_EXTRA = attrs.fields(Export).extra.default
