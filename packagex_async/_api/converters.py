"""Conversion of JSON to models: strict for ids, lenient for all other fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from packagex_async._api.export_structure import EMPTY_EXPORT, convert_integer, is_id, structure_export
from packagex_async.errors import DecodeError
from packagex_async.models import Export, Page, Pagination

_CONVERSION_ERRORS = (TypeError, ValueError, OverflowError, OSError)


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
        return structure_export(raw)
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
            self._items[index] = export = None
            try:
                export = export_from_json(item, self._path, index)
            except DecodeError as error:
                self.malformed += 1
                self.first_malformed = self.first_malformed or str(error)
            yield export

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
    unread = tuple(key for key in EMPTY_EXPORT if key in raw and not _is_readable(key, raw[key]))
    export = structure_export({key: value for key, value in raw.items() if key not in unread})
    extra = {key: value for key, value in raw.items() if key in unread or key not in EMPTY_EXPORT}
    return attrs.evolve(export, extra=extra, unread=unread)


def _is_readable(key: str, value: Any) -> bool:
    try:
        structure_export({"id": "any", key: value})
    except _CONVERSION_ERRORS:
        return False
    return True


def _integer_or_none(value: Any) -> int | None:
    try:
        return convert_integer(value)
    except _CONVERSION_ERRORS:
        return None


def _type_name(value: Any) -> str:
    return {dict: "an object", list: "an array", type(None): "null"}.get(type(value), type(value).__name__)
