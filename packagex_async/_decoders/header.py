"""The names of columns."""

from __future__ import annotations

import itertools
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence

from packagex_async._utils.call_site import CallSite, find_call_site
from packagex_async._utils.redaction import sanitize
from packagex_async.models import Artifact


def unique_names(header: Sequence[str]) -> list[str]:
    """Return the names of a header, with a number after each name that occurred before.

    The second `name` becomes `name_2`. A number is skipped if the header contains a column of that name.
    """
    taken = set(header)
    seen: set[str] = set()
    names: list[str] = []
    for name in header:
        names.append(_numbered(name, taken) if name in seen else name)
        seen.add(name)
    return names


def duplicates(header: Iterable[str]) -> list[str]:
    """Return the names that occur more than once in a header, each once, in order."""
    return [name for name, count in Counter(header).items() if count > 1]


def warn_of_duplicates(
    names: Iterable[str], export_id: str, artifact: Artifact, call_site: CallSite | None = None
) -> None:
    """Warn that columns have the same name, at the line of the caller's code.

    Args:
        names: The names of the columns.
        export_id: The id of the export.
        artifact: The artifact.
        call_site: The line to name. Default: the nearest line on the call stack outside of this package.
    """
    listed = ", ".join(map(sanitize, names))
    message = (
        f"export {sanitize(export_id)}, artifact {artifact}: several columns have the same name: {listed}; "
        "a number is added to all but the first of them"
    )
    warnings.warn_explicit(message, UserWarning, *(call_site or find_call_site()))


def _numbered(name: str, taken: set[str]) -> str:
    numbered = next(each for number in itertools.count(2) if (each := f"{name}_{number}") not in taken)
    taken.add(numbered)
    return numbered
