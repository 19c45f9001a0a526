"""JSON to models: strict where we must, open where we should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async import Artifact, DecodeError, Export, ExportResource, ExportStatus
from packagex_async._api.converters import export_from_json, pagination_from_json
from packagex_async.models import Pagination

WHOLE = {
    "id": "exp_1",
    "object": "export",
    "resource": "contact",
    "status": "completed",
    "name": "May",
    "count_batches": 2,
    "count_total": 1500,
    "created_at": 1714564800,
    "updated_at": "2024-05-01T12:00:30Z",
    "organization_id": "org_1",
    "_json_url": "https://storage.example/a.json?sig=1",
    "_csv_url": "https://storage.example/a.csv?sig=1",
    "_csv_error_url": "",
    "_csv_sanitized_url": None,
}


def read(**fields: Any) -> Export:
    return export_from_json({"id": "exp_1"} | fields, "data[0]")


def test_every_known_field_is_read() -> None:
    """The record holds what the API sent."""
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


def test_a_url_that_is_missing_null_or_empty_is_not_offered() -> None:
    """Only the URLs that are there make an artifact offered."""
    assert export_from_json(WHOLE, "data").artifacts == (Artifact.JSON, Artifact.CSV)
    assert read().artifacts == ()


@pytest.mark.parametrize(
    "stamp",
    [
        1714564800,
        1714564800.0,
        "1714564800",
        1714564800000,
        "2024-05-01T12:00:00Z",
        "2024-05-01T12:00:00",
        "2024-05-01T14:00:00+02:00",
        "2024-05-01 12:00:00.000000+00:00",
    ],
)
def test_every_form_of_a_time_is_the_same_aware_moment(stamp: object) -> None:
    """Epoch seconds, milliseconds and ISO 8601 become aware datetimes in UTC."""
    moment = read(created_at=stamp).created_at
    assert moment == datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert moment is not None
    assert moment.tzinfo is UTC


@given(st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)), st.integers(-12, 12))
def test_times_survive_every_form(moment: datetime, offset: int) -> None:
    """No form loses more than its own resolution."""
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    seconds = moment.replace(microsecond=0)
    assert read(created_at=int(seconds.timestamp())).created_at == seconds
    assert read(created_at=round(moment.timestamp() * 1000)).created_at == moment
    elsewhere = moment.astimezone(timezone(timedelta(hours=offset)))
    assert read(created_at=elsewhere.isoformat()).created_at == moment


def test_trap_24_unknown_values_and_fields_are_kept() -> None:
    """Tomorrow's statuses, resources and fields take nothing down and lose nothing."""
    export = read(status="archived", resource="drone", priority={"level": 3}, extra="theirs")
    assert export.status == "archived"
    assert export.status is not None
    assert export.status.value == "archived"
    assert isinstance(export.resource, ExportResource)
    assert export.extra == {"priority": {"level": 3}, "extra": "theirs"}
    assert export.unread == ()


def test_unknown_fields_keep_their_order_and_their_names() -> None:
    """Whatever they are called, and with an unread one among them."""
    export = read(zip="Z", **{"<extra>": 1}, created_at="yesterday", json_url="theirs", unread="theirs")
    assert list(export.extra) == ["zip", "<extra>", "created_at", "json_url", "unread"]
    assert (export.extra["<extra>"], export.unread, export.json_url) == (1, ("created_at",), None)
    whole = export_from_json(WHOLE | {"<extra>": 1, "zip": "Z"}, "data")
    assert (whole.id, list(whole.extra), whole.unread) == ("exp_1", ["<extra>", "zip"], ())


def test_what_the_api_sent_is_left_as_it_was() -> None:
    """Reading an export a second time finds the same."""
    raw = dict(WHOLE) | {"zip": "Z", "count_total": "many"}
    before = dict(raw)
    assert export_from_json(raw, "data") == export_from_json(raw, "data")
    assert raw == before


@pytest.mark.parametrize("count", [0, -3, 2**63, 2**64 + 1, 10**400])
def test_a_count_is_read_to_its_last_digit(count: int) -> None:
    """However large it is."""
    assert read(count_total=count).count_total == count


def test_trap_09_what_sank_an_item_is_no_context_of_its_error() -> None:
    """The frames of that failure hold links."""
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
def test_trap_24_a_field_that_cannot_be_read_is_kept_as_it_came(field: str, value: object) -> None:
    """The rest of the export is there, and the field stands in `extra`."""
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
def test_no_item_with_an_id_is_lost(fields: dict[str, Any]) -> None:
    """Whatever the other fields hold, the export is read, and what is unread is in `extra`."""
    export = read(**fields)
    assert export.id == "exp_1"
    assert set(export.extra) == set(export.unread)


@pytest.mark.parametrize("bad", [{}, {"id": None}, {"id": ""}, {"id": 7}, {"id": "."}, {"id": "a\udfff"}])
def test_an_export_without_an_id_is_refused_with_its_place(bad: dict[str, Any]) -> None:
    """The error says where in the answer the id is missing."""
    with pytest.raises(DecodeError, match=r"^data\[3\]\.id is missing"):
        export_from_json(bad, "data", 3)


@pytest.mark.parametrize(("bad", "kind"), [(None, "null"), ([], "an array"), ("text", "str"), (3, "int")])
def test_an_item_that_is_no_object_is_refused_with_its_place(bad: object, kind: str) -> None:
    """The error says where, and what was there instead."""
    with pytest.raises(DecodeError, match=rf"data\[0\] is not an export but {kind}"):
        export_from_json(bad, "data[0]")


def test_pagination_needs_only_has_more() -> None:
    """The other fields may be missing, or nonsense."""
    pagination = pagination_from_json({"has_more": True}, count=1)
    assert (pagination.has_more, pagination.page, pagination.limit, pagination.total_count) == (
        True,
        None,
        None,
        None,
    )
    told = pagination_from_json({"has_more": False, "page": 2, "limit": "x", "total_count": 7}, count=1)
    assert (told.has_more, told.page, told.limit, told.total_count) == (False, 2, None, 7)


@pytest.mark.parametrize("raw", [None, {}, [], "x", {"has_more": None}])
def test_without_has_more_only_an_empty_page_is_surely_the_last(raw: object) -> None:
    """A server may cap the page, so that even a short page may have another behind it."""
    assert pagination_from_json(raw, count=1) == Pagination(has_more=True, inferred=True)
    assert pagination_from_json(raw, count=0) == Pagination(has_more=False, inferred=True)


def test_has_more_that_is_no_boolean_is_refused() -> None:
    """A word cannot decide whether exports remain."""
    with pytest.raises(DecodeError, match=r"pagination\.has_more is neither true nor false but str"):
        pagination_from_json({"has_more": "false"}, count=1)
