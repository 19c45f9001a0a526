"""Conversion of JSON to models: strict for ids, lenient for all other fields."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async import Artifact, DecodeError, Export, ExportResource, ExportStatus
from packagex_async._api.converters import LazyPage, export_from_json, pagination_from_json
from packagex_async.models import Pagination
from tests.unit.api.helpers import REGULAR

WHOLE = REGULAR | {"updated_at": "2024-05-01T12:00:30Z", "_csv_error_url": ""}


def read(**fields: Any) -> Export:
    """Convert an export with these fields."""
    return export_from_json({"id": "exp_1"} | fields, "data[0]")


def test_known_fields_are_converted() -> None:
    """To the attributes of an `Export`."""
    assert export_from_json(WHOLE, "data") == Export(
        id="exp_1",
        object="export",
        resource=ExportResource.CONTACT,
        status=ExportStatus.COMPLETED,
        name="May",
        count_batches=2,
        count_total=1500,
        created_at=datetime(2024, 5, 1, 12, tzinfo=UTC),
        updated_at=datetime(2024, 5, 1, 12, 0, 30, tzinfo=UTC),
        organization_id="org_1",
        json_url="https://storage.example/a.json?sig=1",
        csv_url="https://storage.example/a.csv?sig=1",
    )


def test_artifact_without_a_url_is_not_offered() -> None:
    """Its URL is missing, null or empty."""
    assert export_from_json(WHOLE, "data").artifacts == (Artifact.JSON, Artifact.CSV)
    assert read().artifacts == ()


def test_trap_24_unknown_values_and_fields_are_kept() -> None:
    """New statuses, resources and fields of the API are not errors."""
    export = read(status="archived", resource="drone", priority={"level": 3}, extra="theirs")
    assert export.status == "archived"
    assert export.status is not None
    assert export.status.value == "archived"
    assert isinstance(export.resource, ExportResource)
    assert export.extra == {"priority": {"level": 3}, "extra": "theirs"}
    assert export.unread == ()


def test_unknown_fields_keep_order_and_names() -> None:
    """Including names that are used internally, and together with an unread field."""
    export = read(zip="Z", **{"<extra>": 1}, created_at="yesterday", json_url="theirs", unread="theirs")
    assert list(export.extra) == ["zip", "<extra>", "created_at", "json_url", "unread"]
    assert (export.extra["<extra>"], export.unread, export.json_url) == (1, ("created_at",), None)
    whole = export_from_json(WHOLE | {"<extra>": 1, "zip": "Z"}, "data")
    assert (whole.id, list(whole.extra), whole.unread) == ("exp_1", ["<extra>", "zip"], ())


def test_input_is_not_modified() -> None:
    """A second conversion has the same result."""
    raw = dict(WHOLE) | {"zip": "Z", "count_total": "many"}
    before = dict(raw)
    assert export_from_json(raw, "data") == export_from_json(raw, "data")
    assert raw == before


@pytest.mark.parametrize("count", [0, -3, 2**63, 2**64 + 1, 10**400])
def test_count_is_exact(count: int) -> None:
    """For integers of any size."""
    assert read(count_total=count).count_total == count


def test_trap_09_error_has_no_context() -> None:
    """The frames of the original error contain URLs."""
    with pytest.raises(DecodeError) as caught:
        export_from_json(WHOLE | {"id": None}, "data")
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("created_at", "yesterday"),
        ("created_at", True),
        ("created_at", {"seconds": 1}),
        ("created_at", 1e300),
        ("created_at", "9999-12-31T23:59:59Z"),
        ("created_at", "9999-12-31T23:59:59-12:00"),
        ("created_at", "0001-01-01T00:00:00+12:00"),
        ("created_at", "0001-01-01"),
        ("created_at", -(10**13)),
        ("created_at", 10**15),
        ("created_at", 10**400),
        ("created_at", "9" * 5000),
        ("updated_at", float("inf")),
        ("updated_at", "nan"),
        ("count_total", "9" * 5000),
        ("updated_at", float("nan")),
        ("count_total", "many"),
        ("count_total", 1.5),
        ("count_total", False),
        ("count_batches", float("inf")),
        ("name", 7),
        ("status", ["completed"]),
        ("resource", 1),
        ("_json_url", {"href": "https://storage.example"}),
        ("_json_url", False),
        ("_csv_url", 0),
        ("_csv_error_url", []),
    ],
)
def test_trap_24_unreadable_field_is_kept_in_extra(field: str, value: object) -> None:
    """Unchanged. All other fields are converted."""
    export = read(**{field: value, "organization_id": "org_1"})
    assert export.organization_id == "org_1"
    assert export.unread == (field,)
    assert list(export.extra) == [field]
    assert export.extra[field] is value


@given(
    st.fixed_dictionaries(
        {},
        optional={
            key: st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())
            for key in WHOLE
            if key != "id"
        },
    )
)
def test_export_with_an_id_is_always_converted(fields: dict[str, Any]) -> None:
    """Unreadable fields are in `extra`."""
    export = read(**fields)
    assert export.id == "exp_1"
    assert set(export.extra) == set(export.unread)


@pytest.mark.parametrize("bad", [{}, {"id": None}, {"id": ""}, {"id": 7}, {"id": "."}, {"id": "a\udfff"}])
def test_missing_id_is_an_error_with_position(bad: dict[str, Any]) -> None:
    """The position contains the index of the item."""
    with pytest.raises(DecodeError, match=r"^data\[3\]\.id is missing"):
        export_from_json(bad, "data", 3)


@pytest.mark.parametrize(("bad", "kind"), [(None, "null"), ([], "an array"), ("text", "str"), (3, "int")])
def test_item_that_is_not_an_object_is_an_error_with_position(bad: object, kind: str) -> None:
    """The message names the type of the item."""
    with pytest.raises(DecodeError, match=rf"data\[0\] is not an export but {kind}"):
        export_from_json(bad, "data[0]")


def test_pagination_needs_only_has_more() -> None:
    """All other fields may be missing or invalid."""
    pagination = pagination_from_json({"has_more": True}, count=1)
    assert (pagination.has_more, pagination.page, pagination.limit, pagination.total_count) == (
        True,
        None,
        None,
        None,
    )
    full = pagination_from_json({"has_more": False, "page": 2, "limit": "x", "total_count": 7}, count=1)
    assert (full.has_more, full.page, full.limit, full.total_count) == (False, 2, None, 7)


@pytest.mark.parametrize("raw", [None, {}, [], "x", {"has_more": None}])
def test_only_an_empty_page_is_the_last_without_has_more(raw: object) -> None:
    """A short page may be followed by another one: the server may limit the page size."""
    assert pagination_from_json(raw, count=1) == Pagination(has_more=True, inferred=True)
    assert pagination_from_json(raw, count=0) == Pagination(has_more=False, inferred=True)


def test_has_more_must_be_a_boolean() -> None:
    """A string would be ambiguous."""
    with pytest.raises(DecodeError, match=r"pagination\.has_more must be true or false, not str"):
        pagination_from_json({"has_more": "false"}, count=1)


def test_lazy_page_converts_items_during_the_iteration() -> None:
    """In steps of 100 items, which are then released. Malformed items are counted."""
    items: list[Any] = [{"id": f"exp_{number}"} for number in range(99)] + [7, {"id": "exp_100"}, None]
    page = LazyPage(items, Pagination(has_more=False), "data")
    exports = iter(page)
    assert next(exports) == Export(id="exp_0")
    assert items == [None] * 100 + [{"id": "exp_100"}, None]
    assert [export and export.id for export in exports][97:] == ["exp_98", None, "exp_100", None]
    assert (page.item_count, page.malformed) == (102, 2)
    assert page.first_malformed == "data[99] is not an export but int"


def test_lazy_page_becomes_a_page() -> None:
    """With the exports and the counts of the malformed items."""
    page = LazyPage([{"id": "exp_1"}, None], Pagination(has_more=True), "data").load()
    assert page.data == (Export(id="exp_1"),)
    assert (page.pagination.has_more, page.malformed) == (True, 1)
