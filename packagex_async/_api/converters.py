"""Conversion of JSON to models: strict for ids, lenient for all other fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import cache
from typing import Any

import attrs

from packagex_async._api.columns import convert_exports
from packagex_async._api.fields import (
    CONVERSION_ERRORS,
    KEYS,
    KNOWN_KEYS,
    convert_datetime,
    convert_id,
    convert_integer,
    convert_text,
    enum_hook,
    is_id,
)
from packagex_async.errors import DecodeError
from packagex_async.models import Export, ExportResource, ExportStatus, Page, Pagination

_CHUNK = 100
"""Items of a page that are converted in one step."""


@cache
def _converter() -> Callable[[Any, type[Export]], Export]:
    # Imported at the first response: cattrs would be a third of the import time of this package.
    import cattrs
    from cattrs.gen import make_dict_structure_fn, override

    converter = cattrs.Converter(detailed_validation=False, prefer_attrib_converters=True)
    converter.register_structure_hook(str, convert_id)
    converter.register_structure_hook(str | None, convert_text)
    converter.register_structure_hook(int | None, convert_integer)
    converter.register_structure_hook(datetime | None, convert_datetime)
    converter.register_structure_hook(ExportStatus | None, enum_hook(ExportStatus))
    converter.register_structure_hook(ExportResource | None, enum_hook(ExportResource))
    overrides = {name: override(rename=key) for name, key in KEYS.items()}
    overrides |= dict.fromkeys(("extra", "unread"), override(omit=True))
    convert: Callable[[Any, type[Export]], Export] = make_dict_structure_fn(
        Export, converter, **overrides  # type: ignore[arg-type]  # by field name
    )  # fmt: skip
    return convert


def export_from_json(raw: Any, path: str, index: int | None = None) -> Export:
    """Convert an export. Fields that cannot be converted are kept in `extra` and named in `unread`.

    Args:
        raw: The export, decoded from JSON.
        path: Its position in the response, for error messages.
        index: Its index, if `path` is an array.

    Raises:
        DecodeError: It is not an object, or has no valid id. The message contains the position.
    """
    if not isinstance(raw, dict) or not is_id(raw.get("id")):
        raise _not_an_export(raw, path if index is None else f"{path}[{index}]")
    try:
        return _convert(raw)
    except CONVERSION_ERRORS:
        pass  # A later error must not have this one as context: its frames contain URLs.
    return _convert(
        raw, tuple(key for key in KEYS.values() if key in raw and not _is_readable(key, raw[key]))
    )


def _not_an_export(raw: Any, path: str) -> DecodeError:
    if not isinstance(raw, dict):
        return DecodeError(f"{path} is not an export but {_type_name(raw)}")
    return DecodeError(f"{path}.id is missing, or not a string that can name an export")


def _convert(raw: dict[str, Any], unread: tuple[str, ...] = ()) -> Export:
    export = _converter()({key: value for key, value in raw.items() if key not in unread}, Export)
    extra = {key: value for key, value in raw.items() if key in unread or key not in KNOWN_KEYS}
    return attrs.evolve(export, extra=extra, unread=unread)


def _is_readable(key: str, value: Any) -> bool:
    try:
        _converter()({"id": "any", key: value}, Export)
    except CONVERSION_ERRORS:
        return False
    return True


class LazyPage:
    """A page of a listing whose items are converted during the iteration. It can be iterated once.

    The items are converted, and then released, in steps of 100.

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
        for first in range(0, self.item_count, _CHUNK):
            yield from self._convert(self._take(first), first)

    def _take(self, first: int) -> list[Any]:
        items = self._items[first : first + _CHUNK]
        self._items[first : first + _CHUNK] = [None] * len(items)
        return items

    def _convert(self, items: list[Any], first: int) -> Iterable[Export | None]:
        try:
            return convert_exports(items)
        except CONVERSION_ERRORS:
            pass  # At least one item is malformed, or has a field that cannot be converted.
        return [self._convert_item(item, index) for index, item in enumerate(items, first)]

    def _convert_item(self, item: Any, index: int) -> Export | None:
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


def _integer_or_none(value: Any) -> int | None:
    try:
        return convert_integer(value)
    except CONVERSION_ERRORS:
        return None


def _type_name(value: Any) -> str:
    return {dict: "an object", list: "an array", type(None): "null"}.get(type(value), type(value).__name__)
