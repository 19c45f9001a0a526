"""The options of a new export: validated, and converted to JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from packagex_async._utils.reprs import concise_repr
from packagex_async.errors import ConfigurationError
from packagex_async.models import ExportResource


def _column_names(columns: Iterable[str]) -> tuple[str, ...]:
    names = () if isinstance(columns, str) or not isinstance(columns, Iterable) else tuple(columns)
    if not names or not all(_is_text(name) for name in names):
        raise ConfigurationError(f"columns must be one or more column names, not {columns!r}")
    return names


def _check_text(_: object, field: attrs.Attribute[str | None], value: str | None) -> None:
    if value is not None and not _is_text(value):
        raise ConfigurationError(f"{field.name} must be a non-empty string, not {value!r}")


@attrs.frozen(kw_only=True, repr=False)
class CsvFieldOptions:
    """The format of the CSV file of an export. API: Create Export, `csv_field_options`.

    The API documentation describes two formats for nested data, merged and flattened, but no field that
    selects one of them. If PackageX has given you such a field, pass a mapping instead of this record.

    Args:
        timezone: The IANA name of the time zone of all times, such as `America/New_York`.
        datetime_format: The format of times, such as `MM/dd/yyyy hh:mm:ss a`.
        columns: The names of the columns, in order. By default, the API chooses them.

    Raises:
        ConfigurationError: A value is not a non-empty string, or there are no columns.
    """

    timezone: str | None = attrs.field(default=None, validator=_check_text)
    datetime_format: str | None = attrs.field(default=None, validator=_check_text)
    columns: tuple[str, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(_column_names)
    )

    __repr__ = concise_repr

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object for the API, without fields that are `None`."""
        payload: dict[str, Any] = attrs.asdict(self, filter=lambda _, value: value is not None)
        if self.columns is not None:
            payload["columns"] = dict.fromkeys(self.columns, True)
        return payload


def creation_body(
    resource: ExportResource | str,
    options: Mapping[str, Any] | None,
    csv_field_options: CsvFieldOptions | Mapping[str, Any] | None,
) -> bytes:
    """Return the JSON body of a request to create an export. API: Create Export.

    Args:
        resource: The kind of records to export.
        options: The filters, or `None`.
        csv_field_options: The format of the CSV file, or `None`.

    Raises:
        ConfigurationError: The API would reject or misinterpret a value.
    """
    if not _is_text(resource):
        raise ConfigurationError(f"resource must be a kind of records, such as 'contact', not {resource!r}")
    if isinstance(csv_field_options, CsvFieldOptions):
        csv_field_options = csv_field_options.as_json()
    payload = {
        "resource": resource,
        "options": _mapping("options", options),
        "csv_field_options": _mapping("csv_field_options", csv_field_options),
    }
    _check_limit((options or {}).get("limit", "all"))
    return _json({name: value for name, value in payload.items() if value is not None})


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _mapping(name: str, value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(_is_text(key) for key in value):
        raise ConfigurationError(f"{name} must be a mapping of names to values, not {value!r}")
    return dict(value)


def _check_limit(limit: object) -> None:
    is_positive = isinstance(limit, int) and not isinstance(limit, bool) and limit >= 1
    if not is_positive and limit != "all":
        raise ConfigurationError(f"options: limit must be a positive integer or 'all', not {limit!r}")


def _json(content: dict[str, Any]) -> bytes:
    try:
        # Rejects lone surrogates and NaN, which are not valid JSON.
        return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"the options of an export must be plain JSON values: {error}") from None
