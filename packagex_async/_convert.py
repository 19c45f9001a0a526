"""The one cattrs converter: JSON to models, strict where we must, open where we should."""

from __future__ import annotations

from collections.abc import Set
from datetime import UTC, datetime
from typing import Any

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, override

from packagex_async.errors import DecodeError
from packagex_async.models import Export, ExportResource, ExportStatus, Pagination

# Epoch milliseconds pass this in 1973, epoch seconds in the year 5138.
_MILLISECONDS_FROM = 100_000_000_000

_NAMES = {field.name: field.name for field in attrs.fields(Export)} | {
    name: f"_{name}" for name in ("json_url", "csv_url", "csv_error_url", "csv_sanitized_url")
}
_FIELDS = {key: name for name, key in _NAMES.items() if name not in ("extra", "unread")}
# Where unknown fields wait to be read; a field of this very name would be among them.
_EXTRA = "<extra>"


def _text(value: Any, _: Any = None) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def _whole_number(value: Any, _: Any = None) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or int(value) != float(value):
        raise TypeError("not a whole number")
    return int(value)


def _moment(value: Any, _: Any = None) -> datetime:
    if isinstance(value, bool):
        raise TypeError("not a time")
    try:
        epoch = float(value)
    except ValueError:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.fromtimestamp(epoch / 1000 if abs(epoch) >= _MILLISECONDS_FROM else epoch, UTC)


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=False)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(int, _whole_number)
    converter.register_structure_hook(datetime, _moment)
    for enum in (ExportStatus, ExportResource):
        converter.register_structure_hook(enum, lambda value, cls: cls(_text(value)))
    overrides = {name: override(rename=key) for name, key in _NAMES.items() if name != key}
    overrides["extra"] = override(rename=_EXTRA, struct_hook=lambda value, _: value)
    overrides["unread"] = override(omit=True)
    structure = make_dict_structure_fn(Export, converter, **overrides)  # type: ignore[arg-type]  # by field name
    converter.register_structure_hook(Export, structure)
    return converter


_converter = _make_converter()


_Unreadable = (TypeError, ValueError, OverflowError, OSError)


def export_from_json(raw: Any, where: str) -> Export:
    """An export as the API describes it; what cannot be read of it stands in `extra`, named by `unread`.

    Raises:
        DecodeError: It is not an object, or has no id; names `where` in the answer it stands.
    """
    if not isinstance(raw, dict):
        raise DecodeError(f"{where} is not an export but {_kind(raw)}")
    if not isinstance(raw.get("id"), str) or not raw["id"]:
        raise DecodeError(f"{where}.id is missing or not a string: an export cannot be told without it")
    try:
        return _structure(raw, raw.keys() - _FIELDS.keys())
    except _Unreadable:
        return _salvage(raw)


def pagination_from_json(raw: Any, *, count: int, limit: int) -> Pagination:
    """Where a page of `count` exports stands; without a word from the API, a full page has another behind it.

    Raises:
        DecodeError: `has_more` is neither true nor false.
    """
    told = raw if isinstance(raw, dict) else {}
    has_more = told.get("has_more", count >= limit)
    if not isinstance(has_more, bool):
        raise DecodeError(f"pagination.has_more is neither true nor false but {_kind(has_more)}")
    return Pagination(
        has_more=has_more,
        page=_number(told.get("page")),
        limit=_number(told.get("limit")),
        total_count=_number(told.get("total_count")),
    )


def _structure(raw: dict[str, Any], into_extra: Set[str]) -> Export:
    if into_extra:
        extra = {key: value for key, value in raw.items() if key in into_extra}
        raw = {key: value for key, value in raw.items() if key not in into_extra} | {_EXTRA: extra}
    return _converter.structure(raw, Export)


def _salvage(raw: dict[str, Any]) -> Export:
    unread = tuple(key for key in _FIELDS if key in raw and not _readable(key, raw[key]))
    export = _structure(raw, (raw.keys() - _FIELDS.keys()) | set(unread))
    return attrs.evolve(export, unread=unread)


def _readable(key: str, value: Any) -> bool:
    try:
        _converter.structure({"id": "any", key: value}, Export)
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
