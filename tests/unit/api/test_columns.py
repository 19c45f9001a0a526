"""Conversion of many exports at once: the results are those of a conversion export by export."""

from __future__ import annotations

import pickle
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async import DecodeError, Export
from packagex_async._api.columns import convert_exports
from packagex_async._api.converters import LazyPage, export_from_json
from packagex_async.models import NO_EXTRA, Pagination
from tests.unit.api.helpers import REGULAR

OTHER_VALUES: dict[str, list[Any]] = {
    "id": ["exp 1", "0f3c-11", "", ".", 7, None],
    "resource": ["CONTACT", "drone", None, 1],
    "status": ["archived", None, ["completed"], True],
    "name": ["", None, 7],
    "count_total": [0, None, "12", 12.0, 1.5, True, 10**400],
    "created_at": [
        0, -1, None, 1714564800000, 99_999_999_999, 100_000_000_000, "1714564800", 1714564800.5,
        "2024-05-01T12:00:00+02:00", "yesterday", False, float("nan"),
    ],
    "_json_url": ["", None, False, {"href": "x"}],
}  # fmt: skip
UNKNOWN = {"priority": st.integers(0, 1), "zip": st.just("Z"), "extra": st.none(), "<extra>": st.just(1)}

EXPORTS = st.builds(
    lambda changed, missing, unknown: {
        key: value for key, value in (REGULAR | changed | unknown).items() if key not in missing
    },
    st.fixed_dictionaries({}, optional={key: st.sampled_from(OTHER_VALUES[key]) for key in OTHER_VALUES}),
    st.just([]) | st.lists(st.sampled_from(list(REGULAR)), max_size=3),
    st.just({"priority": 2}) | st.fixed_dictionaries({}, optional=UNKNOWN),
)
ITEMS: st.SearchStrategy[Any] = st.just(REGULAR) | EXPORTS | st.sampled_from([None, 7, "exp_1", [], {}])


def convert_page(items: list[Any]) -> list[Export | None]:
    """Convert the items of a page."""
    return list(LazyPage(list(items), Pagination(has_more=False), "data"))


def convert_item(item: Any) -> Export | None:
    """Convert an item alone."""
    try:
        return export_from_json(item, "data")
    except DecodeError:
        return None


def content(exports: list[Export | None]) -> list[Any]:
    """Return all attributes, in a form in which `nan` is equal to itself."""
    return [export and repr(sorted(attrs.asdict(export, recurse=False).items())) for export in exports]


@given(st.lists(ITEMS, min_size=1, max_size=6))
def test_page_is_converted_like_its_exports_one_by_one(items: list[Any]) -> None:
    """With regular, unusual and malformed items, in any combination."""
    assert content(convert_page(items)) == content([convert_item(item) for item in items])


@given(st.lists(EXPORTS, min_size=1, max_size=6))
def test_conversion_at_once_is_that_of_single_exports(items: list[Any]) -> None:
    """Or an error."""
    try:
        exports = convert_exports(items)
    except (TypeError, ValueError, OverflowError):
        return
    assert content([*exports]) == content([export_from_json(item, "data") for item in items])


def test_exports_are_ordinary_records() -> None:
    """They are immutable, equal, and can be hashed and pickled."""
    export, other = convert_exports([REGULAR, REGULAR | {"id": "exp_2", "_csv_error_url": ""}])
    single = export_from_json(REGULAR, "data")
    assert (export, hash(export), repr(export)) == (single, hash(single), repr(single))
    assert pickle.loads(pickle.dumps(export)) == pickle.loads(pickle.dumps(single))
    assert export.extra is NO_EXTRA
    assert (other.csv_error_url, other.unread) == (None, ())
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        export.name = "June"  # type: ignore[misc]


def test_unknown_fields_may_differ() -> None:
    """In number, and in their names."""
    extra = [{"a": 1}, {"a": 2, "b": 3}, {}, {"c": 4}]
    assert [export.extra for export in convert_exports([REGULAR | each for each in extra])] == extra
    pair = convert_exports([REGULAR | {"a": 1}, REGULAR | {"b": 2}])
    assert [export.extra for export in pair] == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    "irregular",
    [{"id": None}, {"id": ""}, {"status": []}, {"name": 1}, {"count_total": "many"}, {"_csv_url": 0}],
)
def test_irregular_export_is_an_error(irregular: dict[str, Any]) -> None:
    """No export is returned."""
    with pytest.raises((TypeError, ValueError)):
        convert_exports([REGULAR, REGULAR | irregular])
