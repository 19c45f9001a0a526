"""Exports with the documented types are converted without cattrs, with the same result."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async._api import export_structure
from packagex_async._api.export_structure import structure_export
from packagex_async.models import Export

ERRORS = (TypeError, ValueError, OverflowError, OSError)

texts = st.sampled_from(["exp_1", "completed", "Completed", "contact", "", "new", "1e3", "7", "2024-05-01"])
numbers = st.sampled_from([0, 7, 1_714_564_800, 1_714_564_800_000, -1, 10**30, 1.5, 2.0, True])
values: st.SearchStrategy[Any] = st.none() | texts | numbers | st.sampled_from([[], {}])
keys = st.sampled_from([*export_structure.EMPTY_EXPORT, "new", "<extra>", "extra", "unread"])


def outcome(raw: dict[str, Any]) -> Any:
    """Return all attributes of the export with their types, or the type of the error."""
    try:
        export = structure_export(raw)
    except ERRORS as error:
        return type(error)
    return [(name, type(value), value) for name, value in vars(export).items()], export, hash(export)


@given(st.dictionaries(keys, values), st.sampled_from(["exp_1", "a b", "..", "\ud800"]))
def test_result_is_that_of_cattrs(raw: dict[str, Any], export_id: str) -> None:
    """All attributes are equal, in the same order; errors have the same type."""
    raw = {"id": export_id} | raw
    fast = outcome(raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export_structure, "_have_documented_types", lambda _: False)
        assert outcome(raw) == fast


def test_documented_export_does_not_need_cattrs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing consists of such exports."""
    monkeypatch.setattr(export_structure, "_cattrs_hook", lambda: pytest.fail("cattrs is used"))
    export = structure_export(
        {"id": "exp_1", "created_at": 1_714_564_800, "count_total": 7, "_csv_url": "", "new": [1]}
    )
    assert isinstance(export, Export)
    assert (export.count_total, export.csv_url, export.extra) == (7, None, {"new": [1]})
