"""The names of tables and columns in the database."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from packagex_async._utils.call_site import CallSite
from packagex_async._utils.redaction import sanitize
from packagex_async.models import Artifact

EXPORT_ID = "_export_id"
EXPORT_ROW = "_export_row"
EXPORT_CREATED_AT = "_export_created_at"
OWN_COLUMNS = (EXPORT_ID, EXPORT_ROW, EXPORT_CREATED_AT)

UNKNOWN_TABLE = "unknown"
"""The table of exports whose resource is unknown."""

_DLT_PREFIX = "_dlt"

Normalize = Callable[[str], str]
"""Returns the name that dlt gives to a table or column. It is empty for a name of spaces."""


class ColumnNames(NamedTuple):
    """The names of the columns of an artifact.

    Attributes:
        names: The names, in the order of the artifact. dlt gives a different name to each.
        renamed: The names that were changed, and their replacements.
    """

    names: list[str]
    renamed: dict[str, str]


def table_name(resource: str | None, normalize: Normalize) -> str:
    """Return the name of the table for a resource.

    Tables whose name begins with `_dlt` belong to dlt.
    """
    name = normalize(resource or "")
    return resource if resource and name and not name.startswith(_DLT_PREFIX) else UNKNOWN_TABLE


def column_names(columns: Sequence[str], normalize: Normalize) -> ColumnNames:
    """Return names for columns that are different in the database, too.

    Args:
        columns: The names in the artifact, each once.
        normalize: Returns the name that dlt gives to a column.
    """
    taken = {_key(name, normalize) for name in (*OWN_COLUMNS, *columns)}
    used = {_key(name, normalize) for name in OWN_COLUMNS}
    names: list[str] = []
    for position, column in enumerate(columns, 1):
        key = _key(column, normalize)
        if not key or key in used or key.startswith(_DLT_PREFIX):
            base = column if key in used else f"column{key or f'_{position}'}"
            column, key = _free_name(base, taken, normalize)
            taken.add(key)
        used.add(key)
        names.append(column)
    renamed = {old: new for old, new in zip(columns, names, strict=True) if old != new}
    return ColumnNames(names, renamed)


def _free_name(base: str, taken: Iterable[str], normalize: Normalize) -> tuple[str, str]:
    candidates = itertools.chain([base], (f"{base}_{number}" for number in itertools.count(2)))
    named = ((name, _key(name, normalize)) for name in candidates)
    return next((name, key) for name, key in named if key not in taken)


def _key(name: str, normalize: Normalize) -> str:
    """Return the name in the database, in lower case, because many databases ignore the case."""
    return normalize(name).lower()


def warn_of_renamed(
    renamed: Mapping[str, str], export_id: str, artifact: Artifact, call_site: CallSite
) -> None:
    """Warn that columns have different names in the database.

    Args:
        renamed: The names in the artifact, and their replacements.
        export_id: The id of the export.
        artifact: The artifact.
        call_site: The line to name.
    """
    listed = ", ".join(f"{sanitize(old)!r} as {sanitize(new)!r}" for old, new in renamed.items())
    message = (
        f"export {sanitize(export_id)}, artifact {artifact}: columns would have the name of another column "
        f"in the database, and are loaded with different names: {listed}"
    )
    warnings.warn_explicit(message, UserWarning, *call_site)
