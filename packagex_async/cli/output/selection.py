"""The options `--fields` and `--sort`: which fields are shown, and in which order the records are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from packagex_async import ConfigurationError
from packagex_async.cli.output.layout import Column
from packagex_async.cli.parameters import split_commas


def select_columns(columns: Sequence[Column], names: Sequence[str] | None) -> list[Column]:
    """Return the columns that `--fields` selects, in its order, or all columns if the option is not used.

    A selected column is never dropped on a narrow terminal, as long as all of them have their minimum width.

    Raises:
        ConfigurationError: A field is unknown.
    """
    if names is None:
        return list(columns)
    known = {column.name: column for column in columns}
    selected = list(dict.fromkeys(split_commas(names) or ()))
    check_fields("--fields", selected, known)
    return [
        attrs.evolve(known[name], priority=position, required=True) for position, name in enumerate(selected)
    ]


def check_fields(option: str, names: Sequence[str], known: Iterable[str]) -> None:
    """Check the names of fields.

    Raises:
        ConfigurationError: There is no name, or a field is unknown.
    """
    fields = list(known)
    unknown = [name for name in names if name not in fields]
    if unknown or not names:
        problem = f"unknown field {unknown[0]!r}" if unknown else "no field"
        raise ConfigurationError(f"{option}: {problem}; the fields are {', '.join(fields)}")


@attrs.frozen
class SortOrder:
    """The order that `--sort` sets.

    Attributes:
        field: The name of the field.
        descending: Whether the largest value comes first.
    """

    field: str
    descending: bool

    @classmethod
    def parse(cls, text: str, known: Iterable[str]) -> SortOrder:
        """Parse a name of a field, or a name with a leading `-` for the descending order.

        Raises:
            ConfigurationError: The field is unknown.
        """
        field = text.removeprefix("-")
        check_fields("--sort", [field], known)
        return cls(field, text.startswith("-"))

    def apply(self, records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the records in this order. Records without a value come last."""
        present: list[dict[str, Any]] = []
        absent: list[dict[str, Any]] = []
        for record in records:
            (absent if record[self.field] is None else present).append(record)
        present.sort(key=lambda record: _sort_key(record[self.field]), reverse=self.descending)
        return present + absent


def _sort_key(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value
