"""Requests to the API and its answers, without any I/O."""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from packagex_async import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    DecodeError,
    ExportResource,
    ExportStatus,
    NotFoundError,
    OrderBy,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from packagex_async._redact import Secret
from packagex_async._wire import (
    Answer,
    Listing,
    check,
    export_target,
    http_date,
    parse_export,
    parse_page,
    retry_after,
)

NOW = 1_714_564_800.0
KEY = Secret("px_CANARY")


def listing(**given: Any) -> Listing:
    names = ("order_by", "direction", "resource", "statuses", "search")
    asked: dict[str, Any] = {"page": 1, "limit": 100, **dict.fromkeys(names)}
    return Listing.of(**asked | given)


def answer(content: Any, status: int = 200, **headers: str) -> Answer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer.of("GET /x", status, CIMultiDict(named), body)


def read(content: Any, status: int = 200, **headers: str) -> Answer:
    got = answer(content, status, **headers)
    check(got, key=KEY, now=NOW)
    return got


def refused(content: Any, status: int = 200, **headers: str) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read(content, status, **headers)
    return caught.value


def test_every_list_parameter_bears_its_name_in_the_api() -> None:
    """Enums and strings are the same; several statuses are joined by commas."""
    asked = listing(
        page=2,
        limit=50,
        order_by=OrderBy.COUNT_TOTAL,
        direction="desc",
        resource=ExportResource.CONTACT,
        statuses=["completed", ExportStatus.FAILED],
        search="may day",
    )
    assert asked.target(7) == (
        "/v1/exports?page=7&limit=50&order_by=count_total&direction=desc&resource=contact"
        "&statuses=completed,failed&search=may%20day"
    )
    assert listing().target(1) == "/v1/exports?page=1&limit=100"
    assert (
        listing(statuses="queued", search="a&b=c d%")
        .target(1)
        .endswith("&statuses=queued&search=a%26b%3Dc%20d%25".replace("d%25", "d%25"))
    )
    assert (
        listing(resource="drone", statuses=(s for s in ("paused",)))
        .target(1)
        .endswith("&resource=drone&statuses=paused")
    )


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"limit": 0}, "limit must be a whole number from 1 up, not 0"),
        ({"limit": True}, "limit must"),
        ({"limit": "10"}, "limit must"),
        ({"page": 0}, "page must"),
        ({"search": "a"}, "each term needs 2 characters or more"),
        ({"search": "may d"}, "'d' has one"),
        ({"search": " "}, "search must be a word"),
        ({"search": 5}, "search must be a word"),
        ({"search": "caf\udcff"}, "search must be a word"),
        ({"order_by": "name"}, "order_by must be one of created_at, count_batches, count_total, updated_at"),
        ({"direction": "up"}, "direction must be one of asc, desc, not 'up'"),
        ({"resource": ""}, "resource must be a word"),
        ({"statuses": []}, "statuses is empty"),
        ({"statuses": ["completed", None]}, "statuses must be a word"),
    ],
)
def test_a_parameter_the_api_would_refuse_is_refused_here(bad: dict[str, Any], says: str) -> None:
    """The error says which parameter, and what it may be."""
    with pytest.raises(ConfigurationError, match=says):
        listing(**bad)


@pytest.mark.parametrize(
    ("given_order", "by_creation", "reorders", "back"),
    [
        ({}, True, False, {}),
        (
            {"order_by": "created_at", "direction": "asc"},
            True,
            False,
            {"order_by": "created_at", "direction": "asc"},
        ),
        ({"direction": "desc"}, False, False, {"direction": "asc"}),
        ({"order_by": "updated_at"}, False, True, {"order_by": "created_at"}),
    ],
)
def test_a_listing_knows_its_order(
    given_order: dict[str, str], by_creation: bool, reorders: bool, back: dict[str, str]
) -> None:
    """And how to ask for the same exports oldest first."""
    asked = listing(**given_order)
    assert (asked.by_creation, asked.reorders) == (by_creation, reorders)
    assert asked.oldest_first() == listing(**back)


def test_an_export_is_asked_for_by_its_path_and_flags() -> None:
    """Flags appear when they are set; an id is quoted whole."""
    assert export_target("exp_1", include_csv=True, include_json=True) == (
        "/v1/exports/exp_1?include_csv=true&include_json=true"
    )
    assert (
        export_target("exp_1", include_csv=False, include_json=True) == "/v1/exports/exp_1?include_json=true"
    )
    assert export_target("../a b?c", include_csv=False, include_json=False) == "/v1/exports/..%2Fa%20b%3Fc"


@pytest.mark.parametrize("bad", ["", " ", ".", "..", None, 7, "exp_\udcff"])
def test_an_id_that_names_no_export_is_refused(bad: Any) -> None:
    """Nothing is sent for it."""
    with pytest.raises(ConfigurationError, match="export_id must be an export's id"):
        export_target(bad, include_csv=False, include_json=False)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, ApiError),
        (400, BadRequestError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (409, ApiError),
        (422, BadRequestError),
        (429, RateLimitError),
        (500, ServerError),
        (503, ServerError),
        (599, ServerError),
    ],
)
def test_every_status_is_its_error(status: int, kind: type[ApiError]) -> None:
    """With what the envelope says of it, from the HTTP status or the envelope's own."""
    envelope = {
        "status": status,
        "message": "It said so",
        "data": None,
        "errors": [{"property": "limit"}],
        "error_code": "some_code",
        "endpoint": "GET /v1/exports",
    }
    for error in (refused(envelope, status), refused(envelope, 200) if status >= 300 else None):
        assert error is not None
        assert type(error) is kind
        assert (error.status, error.message, error.code) == (status, "It said so", "some_code")
        assert error.errors == ({"property": "limit"},)
        assert error.endpoint == "GET /v1/exports"


def test_code_is_error_code_under_its_other_name() -> None:
    """The vendor's pages have both."""
    assert refused({"code": "other_name"}, 400).code == "other_name"
    assert refused({"error_code": None}, 400).code is None
    assert refused({"error_code": 17}, 400).code == "17"


def test_an_error_without_an_envelope_still_says_what_is_known() -> None:
    """HTML, nothing, or a list: the status speaks."""
    for body in (b"<html>Bad gateway</html>", b"", b"[]", b"\xff\xfe", b"[" * 100_000):
        error = refused(body, 502)
        assert (error.message, error.endpoint, error.errors) == ("Bad Gateway", "GET /x", ())
    assert refused({"errors": "limit"}, 400).errors == ()
    assert refused(b"", 799).message == "no reason given"
    assert "check base_url" in refused(b"", 301).message


def test_trap_09_what_the_api_echoes_is_struck() -> None:
    """Neither the key nor a signature comes back through a message."""
    signed = "https://s.example/a?sig=CANARY"
    error = refused(
        {
            "message": f"key px_CANARY may not read {signed}",
            "errors": [{"url": signed, "key": "px_CANARY"}],
            "error_code": "px_CANARY",
            "endpoint": f"/v1/exports?key=px_CANARY {signed}",
        },
        403,
    )
    assert "CANARY" not in f"{error} {error!r} {vars(error)}"


def test_an_answer_that_is_not_json_is_a_decode_error() -> None:
    """It says for what, not what came."""
    with pytest.raises(DecodeError, match=r"GET /x: the answer is not JSON$"):
        read(b"<html>CANARY</")


def test_json_is_read_under_any_content_type_and_with_a_byte_order_mark() -> None:
    """The body decides."""
    assert read(b'\xef\xbb\xbf{"id": "exp_1"}', Content_Type="text/html").content == {"id": "exp_1"}


def test_an_export_is_read_bare_and_enveloped() -> None:
    """Both of the vendor's readings."""
    export = {"id": "exp_1", "status": "completed"}
    assert parse_export(read(export)) == parse_export(read({"status": 200, "data": export}))
    assert parse_export(read(export | {"data": "theirs"})).extra == {"data": "theirs"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"status": 200, "data": None}, "GET /x: data is not an export but null"),
        ({"status": 200, "data": {"name": "a"}}, r"GET /x: data\.id is missing"),
        ({"message": "hello"}, r"GET /x: the answer\.id is missing"),
        ([], "GET /x: the answer is not an export but an array"),
    ],
)
def test_an_answer_without_an_export_says_where_it_is_missing(content: Any, says: str) -> None:
    """A missing id is refused with its place."""
    with pytest.raises(DecodeError, match=says):
        parse_export(read(content))


def test_a_page_is_read_bare_and_enveloped() -> None:
    """An array alone is a page, too."""
    data = [{"id": "exp_1"}, {"id": "exp_2"}]
    told = parse_page(read({"data": data, "pagination": {"has_more": True, "total_count": 9}}), limit=2)
    assert [export.id for export in told] == ["exp_1", "exp_2"]
    assert told.pagination.total_count == 9
    bare = parse_page(read(data), limit=10)
    assert (bare.data, bare.pagination.has_more) == (told.data, False)


@pytest.mark.parametrize("content", [{}, {"data": None}, {"data": {"id": "exp_1"}}, None, "text"])
def test_an_answer_without_a_page_is_refused(content: Any) -> None:
    """`data` of a list is always an array."""
    with pytest.raises(DecodeError, match="GET /x: data is not an array of exports"):
        parse_page(read(content), limit=10)


def test_one_item_without_an_id_says_which() -> None:
    """The place is its index."""
    with pytest.raises(DecodeError, match=r"GET /x: data\[1\]\.id is missing"):
        parse_page(read({"data": [{"id": "a"}, {}]}), limit=10)


def test_trap_14_both_forms_of_retry_after_are_read() -> None:
    """Seconds, and a date against the server's own clock, or against ours where it tells none."""

    def wait(**headers: str) -> float | None:
        return retry_after(answer(b"", 200, **headers).headers, now=NOW)

    date = formatdate(NOW + 90, usegmt=True)
    assert wait(Retry_After="120") == 120
    assert wait(Retry_After=" 3 ") == 3
    assert wait(Retry_After=date) == 90
    assert wait(Retry_After=date, Date=formatdate(NOW + 60, usegmt=True)) == 30
    assert wait(Retry_After=formatdate(NOW - 60, usegmt=True)) == 0
    for nonsense in ("soon", "-5", "1.5", "", "²", "Wed, 99 Foo 2024 99:99:99 GMT"):
        assert wait(Retry_After=nonsense) is None
    assert wait() is None
    assert refused({}, 429, Retry_After="7").retry_after == 7


@given(st.text(max_size=30))
def test_no_header_text_breaks_the_reading_of_dates(text: str) -> None:
    """What is no date is none."""
    moment = http_date(text)
    assert moment is None or moment.tzinfo is not None


def test_a_date_without_a_zone_is_utc() -> None:
    """HTTP dates are."""
    moment = http_date("Wed, 01 May 2024 12:00:00 -0000")
    assert moment is not None
    assert moment.timestamp() == NOW
