"""Conversion of many exports at once: field by field instead of export by export.

The values of a field usually have one type, which one call checks for all exports. A page takes a quarter
less time than with `converters.export_from_json`, whose results are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from itertools import repeat
from operator import itemgetter
from types import MappingProxyType
from typing import Any

import attrs

from packagex_async._api.fields import (
    KEYS,
    KNOWN_KEYS,
    MIN_MILLISECONDS,
    TYPES,
    convert_datetime,
    convert_id,
    convert_integer,
    convert_text,
    enum_hook,
    unknown_fields,
)
from packagex_async.models import NO_EXTRA, Export, ExportResource, ExportStatus

Item = dict[str, Any]
"""An export, decoded from JSON."""

Column = Sequence[Any]
"""The values of one field, export by export."""

_EMPTY_EXPORT = dict.fromkeys(KEYS.values())
"""All fields of an export as null, which is equivalent to missing."""

_known_values = itemgetter(*KEYS.values())

_TEXT = frozenset({str, type(None)})
_INTEGER = frozenset({int, type(None)})
_SECONDS = frozenset({int})


def _ids(values: Column) -> Column:
    return values if all(map(str.isidentifier, values)) else [convert_id(value) for value in values]


def _texts(values: Column) -> Column:
    return values if _TEXT.issuperset(map(type, values)) else [convert_text(value) for value in values]


def _urls(values: Column) -> Column:
    texts = _texts(values)
    return texts if "" not in texts else [text or None for text in texts]


def _integers(values: Column) -> Column:
    return values if _INTEGER.issuperset(map(type, values)) else [convert_integer(value) for value in values]


def _datetimes(values: Column) -> Column:
    if _SECONDS.issuperset(map(type, values)) and min(values) >= 0 and max(values) < MIN_MILLISECONDS:
        return list(map(datetime.fromtimestamp, values, repeat(UTC)))
    return [convert_datetime(value) for value in values]


def _members(enum: type[StrEnum]) -> Callable[[Column], Column]:
    hook = enum_hook(enum)
    known: dict[Any, StrEnum | None] = {None: None, **{member.value: member for member in enum}}

    def convert(values: Column) -> Column:
        try:
            return list(map(known.__getitem__, values))
        except KeyError:
            return [hook(value, None) for value in values]

    return convert


_BY_TYPE: dict[Any, Callable[[Column], Column]] = {
    str: _ids,
    str | None: _texts,
    int | None: _integers,
    datetime | None: _datetimes,
    ExportStatus | None: _members(ExportStatus),
    ExportResource | None: _members(ExportResource),
}
_CONVERTERS = [_urls if name.endswith("_url") else _BY_TYPE[kind] for name, kind in TYPES.items()]


@cache
def _attribute_setter() -> Callable[..., None]:
    # `Export.__init__` would convert the values again: 15 % of the time of a listing. attrs takes 1 ms to
    # create a class, so this one is created for the first page instead of at the import.
    values = attrs.make_class("_Values", [*KEYS, "extra", "unread"], frozen=True, slots=False)
    setter: Callable[..., None] = values.__init__  # type: ignore[misc]  # sets the attributes of an `Export`
    return setter


def convert_exports(items: Sequence[Item]) -> list[Export]:
    """Convert at least one export.

    Raises:
        TypeError, ValueError, OverflowError, OSError: An item is not an export, or has an invalid field.
    """
    complete, rows = _complete(items)
    columns = [convert(values) for convert, values in zip(_CONVERTERS, zip(*rows, strict=True), strict=True)]
    exports = [object.__new__(Export) for _ in items]
    set_attributes = _attribute_setter()
    for export, values in zip(exports, zip(*columns, _extra(complete), repeat(())), strict=True):
        set_attributes(export, *values)
    return exports


def _complete(items: Sequence[Item]) -> tuple[Sequence[Item], list[tuple[Any, ...]]]:
    """Return the items with all known fields, and the values of these fields."""
    try:
        return items, list(map(_known_values, items))
    except KeyError:
        complete = [_EMPTY_EXPORT | item for item in items]
        return complete, list(map(_known_values, complete))


def _extra(complete: Sequence[Item]) -> list[Mapping[str, Any]]:
    names = list(unknown_fields(complete[0]))
    if {len(KNOWN_KEYS) + len(names)}.issuperset(map(len, complete)):
        if not names:
            return [NO_EXTRA] * len(complete)
        with suppress(KeyError):
            return [MappingProxyType({name: item[name] for name in names}) for item in complete]
    # The exports have different unknown fields.
    return [MappingProxyType(unknown_fields(item)) for item in complete]
