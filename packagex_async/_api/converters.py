"""Conversion of JSON to models: strict for ids, lenient for all other fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from itertools import islice
from typing import Any, TypeGuard, TypeVar

import attrs

from packagex_async._utils.http_headers import to_utc
from packagex_async.errors import DecodeError
from packagex_async.models import Export, ExportResource, ExportStatus, Page, Pagination

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

_EMPTY_EXPORT: dict[str, Any] = dict.fromkeys(_KEYS.values())
"""All fields of an export as null, which is equivalent to missing."""

_CONVERSION_ERRORS = (TypeError, ValueError, OverflowError, OSError)


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


def _convert_integer(value: Any, _: Any = None) -> int | None:
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


def _enum_converter(enum: type[E]) -> Callable[[Any, Any], E | None]:
    known: dict[Any, E | None] = {None: None, **{member.value: member for member in enum}}

    def member(value: Any, _: Any) -> E | None:
        return known[value] if value in known else enum(value)

    return member


@cache
def _converter() -> Callable[[Any, type[Export]], Export]:
    # Imported at the first response: cattrs would be a third of the import time of this package.
    import cattrs
    from cattrs.gen import make_dict_structure_fn_from_attrs, override

    converter = cattrs.Converter(detailed_validation=False, prefer_attrib_converters=True)
    converter.register_structure_hook(str, _convert_id)
    converter.register_structure_hook(str | None, _convert_text)
    converter.register_structure_hook(int | None, _convert_integer)
    converter.register_structure_hook(datetime | None, _convert_datetime)
    converter.register_structure_hook(ExportStatus | None, _enum_converter(ExportStatus))
    converter.register_structure_hook(ExportResource | None, _enum_converter(ExportResource))
    keys = _KEYS | {"extra": _EXTRA_KEY}
    # Without defaults, the code that cattrs generates does not check which keys exist.
    fields = [field.evolve(default=attrs.NOTHING) for field in attrs.fields(Export) if field.name in keys]
    overrides = {name: override(rename=key) for name, key in keys.items()}
    convert = make_dict_structure_fn_from_attrs(
        fields, Export, converter, **overrides  # type: ignore[arg-type]  # by field name
    )  # fmt: skip

    def structure(raw: dict[str, Any], kind: type[Export]) -> Export:
        values = _EMPTY_EXPORT | raw
        # Unknown fields follow all known ones.
        has_unknown = len(values) > len(_EMPTY_EXPORT)
        values[_EXTRA_KEY] = dict(islice(values.items(), len(_EMPTY_EXPORT), None)) if has_unknown else {}
        return convert(values, kind)

    converter.register_structure_hook(Export, structure)
    hook: Callable[[Any, type[Export]], Export] = converter.get_structure_hook(Export)
    return hook


def export_from_json(raw: Any, path: str, index: int | None = None) -> Export:
    """Convert an export. Fields that cannot be converted are kept in `extra` and named in `unread`.

    Args:
        raw: The export, decoded from JSON.
        path: Its position in the response, for error messages.
        index: Its index, if `path` is an array.

    Raises:
        DecodeError: It is not an object, or has no valid id. The message contains the position.
    """
    try:
        return _converter()(raw, Export)
    except _CONVERSION_ERRORS:
        pass  # A later error must not have this one as context: its frames contain URLs.
    return _convert_readable_fields(raw, path if index is None else f"{path}[{index}]")


class LazyPage:
    """A page of a listing whose items are converted during the iteration. It can be iterated once.

    Each item is released after its conversion.

    Args:
        items: The items, decoded from JSON.
        pagination: The pagination of the page.
        path: The position of the items in the response, for error messages.

    Attributes:
        pagination: The pagination of the page.
        item_count: The number of items, malformed ones included.
        malformed: The number of items that are not exports, of those converted so far.
        first_malformed: The position of the first malformed item, and what is wrong with it.
    """

    def __init__(self, items: list[Any], pagination: Pagination, path: str) -> None:
        self._items = items
        self._path = path
        self.pagination = pagination
        self.item_count = len(items)
        self.malformed = 0
        self.first_malformed: str | None = None

    def __iter__(self) -> Iterator[Export | None]:
        """Yield the export for each item; `None` for a malformed item."""
        for index, item in enumerate(self._items):
            self._items[index] = None
            yield self._convert(item, index)

    def _convert(self, item: Any, index: int) -> Export | None:
        try:
            return export_from_json(item, self._path, index)
        except DecodeError as error:
            self.malformed += 1
            self.first_malformed = self.first_malformed or str(error)
            return None

    def load(self) -> Page:
        """Convert all items and return the page."""
        return self.with_exports(tuple(filter(None, self)))

    def with_exports(self, data: tuple[Export, ...]) -> Page:
        """Return the page with `data`, after all items were converted."""
        return Page(
            data=data,
            pagination=self.pagination,
            malformed=self.malformed,
            first_malformed=self.first_malformed,
        )


def pagination_from_json(raw: Any, *, count: int) -> Pagination:
    """Convert the pagination of a page with `count` items.

    Without `has_more`, only an empty page counts as the last one.

    Raises:
        DecodeError: `has_more` is neither true nor false.
    """
    fields = raw if isinstance(raw, dict) else {}
    has_more = fields.get("has_more")
    if has_more is not None and not isinstance(has_more, bool):
        raise DecodeError(f"pagination.has_more must be true or false, not {_type_name(has_more)}")
    return Pagination(
        has_more=count > 0 if has_more is None else has_more,
        inferred=has_more is None,
        page=_integer_or_none(fields.get("page")),
        limit=_integer_or_none(fields.get("limit")),
        total_count=_integer_or_none(fields.get("total_count")),
    )


def _convert_readable_fields(raw: Any, path: str) -> Export:
    if not isinstance(raw, dict):
        raise DecodeError(f"{path} is not an export but {_type_name(raw)}")
    if not is_id(raw.get("id")):
        raise DecodeError(f"{path}.id is missing, or not a string that can name an export")
    unread = tuple(key for key in _EMPTY_EXPORT if key in raw and not _is_readable(key, raw[key]))
    export = _converter()({key: value for key, value in raw.items() if key not in unread}, Export)
    extra = {key: value for key, value in raw.items() if key in unread or key not in _EMPTY_EXPORT}
    return attrs.evolve(export, extra=extra, unread=unread)


def _is_readable(key: str, value: Any) -> bool:
    try:
        _converter()({"id": "any", key: value}, Export)
    except _CONVERSION_ERRORS:
        return False
    return True


def _integer_or_none(value: Any) -> int | None:
    try:
        return _convert_integer(value)
    except _CONVERSION_ERRORS:
        return None


def _type_name(value: Any) -> str:
    return {dict: "an object", list: "an array", type(None): "null"}.get(type(value), type(value).__name__)
