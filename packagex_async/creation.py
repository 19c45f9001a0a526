"""What it takes to create an export: its options, checked and written as JSON, without I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from packagex_async._utils.reprs import concise_repr
from packagex_async.errors import ConfigurationError
from packagex_async.models import ExportResource


def _names(columns: Iterable[str]) -> tuple[str, ...]:
    names = () if isinstance(columns, str) or not isinstance(columns, Iterable) else tuple(columns)
    if not names or not all(_is_word(name) for name in names):
        raise ConfigurationError(f"columns must be the names of one column or more, not {columns!r}")
    return names


def _word(_: object, field: attrs.Attribute[str | None], value: str | None) -> None:
    if value is not None and not _is_word(value):
        raise ConfigurationError(f"{field.name} must be a text, not {value!r}")


@attrs.frozen(kw_only=True, repr=False)
class CsvFieldOptions:
    """How the CSV of an export is written. API: Create Export, `csv_field_options`.

    The vendor's pages name two ways to write nested data, merged and flattened, and no field that chooses
    between them: where your organization has been told one, pass a plain mapping in place of this record.

    Args:
        timezone: The IANA name of the time zone that times are told in, like `America/New_York`.
        datetime_format: How they are written, like `MM/dd/yyyy hh:mm:ss a`.
        columns: The names of the columns, in order; the API's own choice unless given.

    Raises:
        ConfigurationError: Something that is no text, or no column at all.
    """

    timezone: str | None = attrs.field(default=None, validator=_word)
    datetime_format: str | None = attrs.field(default=None, validator=_word)
    columns: tuple[str, ...] | None = attrs.field(default=None, converter=attrs.converters.optional(_names))

    __repr__ = concise_repr

    def as_json(self) -> dict[str, Any]:
        """The object the API takes; what was not given is not in it."""
        told: dict[str, Any] = attrs.asdict(self, filter=lambda _, value: value is not None)
        if self.columns is not None:
            told["columns"] = dict.fromkeys(self.columns, True)
        return told


def creation_body(
    resource: ExportResource | str,
    options: Mapping[str, Any] | None,
    csv_field_options: CsvFieldOptions | Mapping[str, Any] | None,
) -> bytes:
    """The JSON that asks for an export. API: Create Export.

    Raises:
        ConfigurationError: Something the API would refuse or misread; says what and why.
    """
    if not _is_word(resource):
        raise ConfigurationError(f"resource must be what is exported, like 'contact', not {resource!r}")
    if isinstance(csv_field_options, CsvFieldOptions):
        csv_field_options = csv_field_options.as_json()
    told = {
        "resource": resource,
        "options": _mapping("options", options),
        "csv_field_options": _mapping("csv_field_options", csv_field_options),
    }
    _check_limit((options or {}).get("limit", "all"))
    return _json({name: value for name, value in told.items() if value is not None})


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _mapping(name: str, value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(_is_word(key) for key in value):
        raise ConfigurationError(f"{name} must be a mapping of names to values, not {value!r}")
    return dict(value)


def _check_limit(limit: object) -> None:
    number = isinstance(limit, int) and not isinstance(limit, bool) and limit >= 1
    if not number and limit != "all":
        raise ConfigurationError(f"options: limit must be a whole number from 1 up or 'all', not {limit!r}")


def _json(content: dict[str, Any]) -> bytes:
    try:
        # What is no Unicode, and a number that is none, is no JSON either.
        return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"the options of an export must be plain JSON values: {error}") from None
