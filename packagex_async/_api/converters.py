"""The one cattrs converter: JSON to models, strict where we must, open where we should."""

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

# Epoch milliseconds pass this in 1973, epoch seconds in the year 5138.
_MILLISECONDS_FROM = 100_000_000_000

_KEYS = {
    field.name: f"_{field.name}" if field.name.endswith("_url") else field.name
    for field in attrs.fields(attrs.resolve_types(Export))
    if field.name not in ("extra", "unread")
}
# Where unknown fields wait to be read; a field of this very name would be among them.
_EXTRA = "<extra>"

_UNTOLD: dict[str, Any] = dict.fromkeys(_KEYS.values())
"""An export of which the API tells nothing, which is as much as null."""

_Unreadable = (TypeError, ValueError, OverflowError, OSError)


# The hooks run for every field of every export: each begins with what it mostly meets.


def _id(value: Any, _: Any) -> str:
    if is_id(value):
        return value
    raise TypeError("not an id")


def is_id(value: object) -> TypeGuard[str]:
    """Return whether `value` can name an export in a URL."""
    if not isinstance(value, str):
        return False
    # What no URL can carry, and what would name another path.
    return value.isidentifier() or (bool(value.strip(". ")) and is_text(value))


def is_text(value: str) -> bool:
    """Return whether `value` can be encoded: JSON, and a command line, may hold lone surrogates."""
    return value == value.encode(errors="ignore").decode()


def _text(value: Any, _: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError("not a string")


def _whole_number(value: Any, _: Any = None) -> int | None:
    if value is None or type(value) is int:
        return value
    if isinstance(value, (float, str)) and int(value) == float(value):
        return int(value)
    raise TypeError("not a whole number")


def _moment(value: Any, _: Any) -> datetime | None:
    if type(value) is int and 0 <= value < _MILLISECONDS_FROM:
        return datetime.fromtimestamp(value, UTC)
    return None if value is None else _moment_told_otherwise(value)


def _moment_told_otherwise(value: Any) -> datetime:
    if isinstance(value, bool):
        raise TypeError("not a time")
    try:
        epoch = float(value)
    except ValueError:
        return to_utc(datetime.fromisoformat(value))
    return to_utc(datetime.fromtimestamp(epoch / 1000 if abs(epoch) >= _MILLISECONDS_FROM else epoch, UTC))


def _member(enum: type[E]) -> Callable[[Any, Any], E | None]:
    known: dict[Any, E | None] = {None: None, **{member.value: member for member in enum}}

    def member(value: Any, _: Any) -> E | None:
        return known[value] if value in known else enum(value)

    return member


@cache
def _converter() -> Callable[[Any, type[Export]], Export]:
    # Imported with the first answer: it would be a third of what importing this package costs.
    import cattrs
    from cattrs.gen import make_dict_structure_fn_from_attrs, override

    converter = cattrs.Converter(detailed_validation=False, prefer_attrib_converters=True)
    converter.register_structure_hook(str, _id)
    converter.register_structure_hook(str | None, _text)
    converter.register_structure_hook(int | None, _whole_number)
    converter.register_structure_hook(datetime | None, _moment)
    converter.register_structure_hook(ExportStatus | None, _member(ExportStatus))
    converter.register_structure_hook(ExportResource | None, _member(ExportResource))
    keys = _KEYS | {"extra": _EXTRA}
    # No default for any field: the code that cattrs writes is faster where it need not ask what is there.
    fields = [field.evolve(default=attrs.NOTHING) for field in attrs.fields(Export) if field.name in keys]
    overrides = {name: override(rename=key) for name, key in keys.items()}
    whole = make_dict_structure_fn_from_attrs(
        fields, Export, converter, **overrides  # type: ignore[arg-type]  # by field name
    )  # fmt: skip

    def structure(raw: dict[str, Any], kind: type[Export]) -> Export:
        told = _UNTOLD | raw
        # What is unknown has joined at the end.
        told[_EXTRA] = dict(islice(told.items(), len(_UNTOLD), None)) if len(told) > len(_UNTOLD) else {}
        return whole(told, kind)

    converter.register_structure_hook(Export, structure)
    hook: Callable[[Any, type[Export]], Export] = converter.get_structure_hook(Export)
    return hook


def export_from_json(raw: Any, where: str, index: int | None = None) -> Export:
    """An export as the API describes it; what cannot be read of it stands in `extra`, named by `unread`.

    Raises:
        DecodeError: It is not an object, or has no id; names `where` in the answer it stands, and at which
            `index` when that is an array.
    """
    try:
        return _converter()(raw, Export)
    except _Unreadable:
        pass  # And no context of a later error: its frames hold links.
    return _salvage(raw, where if index is None else f"{where}[{index}]")


class UnreadPage:
    """A page of a listing whose items are read as they are iterated, once; each is let go when it is read.

    Args:
        items: The items, as the API sent them.
        pagination: Where the page stands.
        where: What the page is called in an error.

    Attributes:
        pagination: Where the page stands.
        places: How many items it has.
        malformed: How many of those read so far are no exports.
        first_malformed: Where the first of them stands, and what is wrong with it.
    """

    def __init__(self, items: list[Any], pagination: Pagination, where: str) -> None:
        self._items = items
        self._where = where
        self.pagination = pagination
        self.places = len(items)
        self.malformed = 0
        self.first_malformed: str | None = None

    def __iter__(self) -> Iterator[Export | None]:
        """Yield the export that each item is, `None` for one that is none."""
        for index, item in enumerate(self._items):
            self._items[index] = None
            yield self._read(item, index)

    def _read(self, item: Any, index: int) -> Export | None:
        try:
            return export_from_json(item, self._where, index)
        except DecodeError as error:
            self.malformed += 1
            self.first_malformed = self.first_malformed or str(error)
            return None

    def page(self) -> Page:
        """Read all of it."""
        data = tuple(filter(None, self))
        return self.page_of(data)

    def page_of(self, data: tuple[Export, ...]) -> Page:
        """Return the page that holds `data`, when all items are read."""
        return Page(
            data=data,
            pagination=self.pagination,
            malformed=self.malformed,
            first_malformed=self.first_malformed,
        )


def pagination_from_json(raw: Any, *, count: int) -> Pagination:
    """Where a page of `count` items stands; if the API does not tell, only an empty page is surely the last.

    Raises:
        DecodeError: `has_more` is told, and neither true nor false.
    """
    told = raw if isinstance(raw, dict) else {}
    has_more = told.get("has_more")
    if has_more is not None and not isinstance(has_more, bool):
        raise DecodeError(f"pagination.has_more is neither true nor false but {_kind(has_more)}")
    return Pagination(
        has_more=count > 0 if has_more is None else has_more,
        inferred=has_more is None,
        page=_number(told.get("page")),
        limit=_number(told.get("limit")),
        total_count=_number(told.get("total_count")),
    )


def _salvage(raw: Any, where: str) -> Export:
    if not isinstance(raw, dict):
        raise DecodeError(f"{where} is not an export but {_kind(raw)}")
    if not is_id(raw.get("id")):
        raise DecodeError(f"{where}.id is missing, or not a string that can name an export")
    unread = tuple(key for key in _UNTOLD if key in raw and not _readable(key, raw[key]))
    export = _converter()({key: value for key, value in raw.items() if key not in unread}, Export)
    extra = {key: value for key, value in raw.items() if key in unread or key not in _UNTOLD}
    return attrs.evolve(export, extra=extra, unread=unread)


def _readable(key: str, value: Any) -> bool:
    try:
        _converter()({"id": "any", key: value}, Export)
    except _Unreadable:
        return False
    return True


def _number(value: Any) -> int | None:
    try:
        return _whole_number(value)
    except _Unreadable:
        return None


def _kind(value: Any) -> str:
    return {dict: "an object", list: "an array", type(None): "null"}.get(type(value), type(value).__name__)
