"""Requests to the API and its answers, without any I/O."""

from __future__ import annotations

import json
import pickle
import traceback
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
from packagex_async._api.json_slices import LARGE, MAX_ITEMS
from packagex_async._api.requests import ListQuery, export_target
from packagex_async._api.responses import (
    MAX_RETRY_AFTER,
    ApiResponse,
    parse_created_export,
    parse_export,
    parse_page,
    raise_for_status,
    retry_after,
)
from packagex_async._utils.http_headers import http_date
from packagex_async._utils.redaction import Secret, sanitize

NOW = 1_714_564_800.0
KEY = Secret("px_CANARY")


def listing(**given: Any) -> ListQuery:
    names = ("order_by", "direction", "resource", "statuses", "search")
    asked: dict[str, Any] = {"page": 1, "limit": 100, **dict.fromkeys(names)}
    return ListQuery.of(**asked | given)


def answer(content: Any, status: int = 200, **headers: str) -> ApiResponse:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ApiResponse.of("GET /x", status, CIMultiDict(named), body)


def read(content: Any, status: int = 200, **headers: str) -> ApiResponse:
    got = answer(content, status, **headers)
    raise_for_status(got, key=KEY, now=NOW)
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
    assert listing(search="AT & T").target(1).endswith("&search=AT%20%26%20T")
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
        (410, NotFoundError),
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
    assert refused({"message": ["x"], "error_code": {"a": 1}, "endpoint": [[]]}, 502).message == "Bad Gateway"
    assert refused(b"", 799).message == "no reason given"
    assert "check base_url" in refused(b"", 301).message


@pytest.mark.parametrize("depth", [33, 700, 900])
def test_errors_may_be_nested_to_any_depth(depth: int) -> None:
    """What is too deep is left out; the error can be printed and pickled."""
    nested: Any = "limit"
    for _ in range(depth):
        nested = [nested] if depth % 2 else {"in": nested}
    for content in ({"errors": [nested]}, {"errors": [], "message": nested, "code": nested}):
        error = refused(content, 400)
        assert len(repr(vars(error))) < 3000
        assert pickle.loads(pickle.dumps(error)).errors == error.errors


def test_an_error_of_any_size_is_told_shortly() -> None:
    """A hundred failed properties, and a limit for every text."""
    error = refused({"message": "m" * 10**6, "errors": ["x" * 10**6] * 200, "endpoint": "e" * 10**6}, 400)
    assert len(str(error)) < 5000
    assert len(error.errors) == 100
    assert max(map(len, error.errors)) <= 2000


@pytest.mark.parametrize("status", [True, -1, 99, 600, 10**400, 1.5, "404", None, 200, 299])
def test_a_status_in_the_envelope_that_is_none_is_ignored(status: Any) -> None:
    """The HTTP status counts."""
    assert parse_created_export(read({"status": status, "data": {"id": "exp_1"}})).id == "exp_1"


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


async def test_a_large_answer_is_read_in_slices() -> None:
    """With the same outcome as at once, or as an error that says what is too large."""

    async def reading(body: bytes) -> ApiResponse:
        got = await ApiResponse.read("GET /x", 200, CIMultiDict(), body)
        raise_for_status(got, key=KEY, now=NOW)
        return got

    content = {"data": [{"id": f"exp_{number}"} for number in range(LARGE // 16)]}
    for body in (b'{"id": "exp_1"}', json.dumps(content).encode()):
        assert (await reading(body)).content == json.loads(body)
    for broken in (b" " * LARGE + b"<", b"[" * LARGE):
        with pytest.raises(DecodeError, match=r"GET /x: the answer is not JSON$"):
            await reading(broken)
    with pytest.raises(DecodeError, match=r"GET /x: the answer has an array of more than 1,000,000 items"):
        await reading(b"[" + b"0," * (MAX_ITEMS + 1) + b"0]")


def test_json_is_read_under_any_content_type_and_with_a_byte_order_mark() -> None:
    """The body decides."""
    assert read(b'\xef\xbb\xbf{"id": "exp_1"}', Content_Type="text/html").content == {"id": "exp_1"}


def test_an_export_is_read_bare_and_enveloped() -> None:
    """Both of the vendor's readings."""
    export = {"id": "exp_1", "status": "completed"}
    bare, enveloped = read(export), read({"status": 200, "data": export})
    assert parse_export(bare, "exp_1") == parse_export(enveloped, "exp_1") == parse_created_export(bare)
    assert parse_export(read(export | {"data": "theirs"}), "exp_1").extra == {"data": "theirs"}


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
        parse_export(read(content), "exp_1")


def test_a_page_is_read_bare_and_enveloped() -> None:
    """An array alone is a page, too."""
    data = [{"id": "exp_1"}, {"id": "exp_2"}]
    told = parse_page(read({"data": data, "pagination": {"has_more": True, "total_count": 9}})).page()
    assert [export.id for export in told] == ["exp_1", "exp_2"]
    assert told.pagination.total_count == 9
    bare = parse_page(read(data)).page()
    assert (bare.data, bare.pagination.inferred, told.pagination.inferred) == (told.data, True, False)


@pytest.mark.parametrize("content", [{}, {"data": None}, {"data": {"id": "exp_1"}}, None, "text"])
def test_an_answer_without_a_page_is_refused(content: Any) -> None:
    """`data` of a list is always an array."""
    with pytest.raises(DecodeError, match="GET /x: data is not an array of exports"):
        parse_page(read(content))


@pytest.mark.parametrize(
    "item",
    [
        None,
        7,
        "exp_1",
        True,
        [],
        [{"id": "exp_1"}],
        {},
        {"id": None},
        {"id": 7},
        {"id": ["exp_1"]},
        {"id": ""},
        {"id": " "},
        {"id": ".."},
        {"id": "\ud800"},
        {"id": {"id": "exp_1"}},
    ],
)
def test_trap_24_an_item_that_is_no_export_is_left_out_of_its_page(item: Any) -> None:
    """All others are there; how many were left out is told, and where the first of them stands."""
    page = parse_page(read({"data": [{"id": "a"}, item, {"id": "b"}, item]})).page()
    assert [export.id for export in page] == ["a", "b"]
    assert page.malformed == 2
    assert str(page.first_malformed).startswith("GET /x: data[1]")


def test_trap_09_an_error_of_a_page_has_no_frames_that_hold_links() -> None:
    """Some tracebacks show what local variables hold."""

    def with_a_link() -> ApiResponse:
        data = [{"id": "a", "_csv_url": "https://s.example/a?sig=CANARY"}]
        return read({"data": data, "pagination": {"has_more": 1}})

    got = with_a_link()
    with pytest.raises(DecodeError, match=r"has_more is neither true nor false but int") as caught:
        parse_page(got)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "CANARY" not in "".join(shown.format())


def test_an_item_is_let_go_when_it_is_read() -> None:
    """So that the items of a large page are not freed all in one moment."""
    got = read({"data": [{"id": "a"}, {"id": "b"}]})
    page = iter(parse_page(got))
    next(page)
    assert got.content["data"] == [None, {"id": "b"}]


@pytest.mark.parametrize("told", ["exp_2", "EXP_1", "exp_1 ", " exp_1", "exp_1\n", "exp_"])
def test_an_answer_about_another_export_is_refused(told: str) -> None:
    """Ids are compared as they are; the error names both of them, in one line."""
    for content in ({"id": told, "status": "completed"}, {"status": 200, "data": {"id": told}}):
        with pytest.raises(DecodeError) as caught:
            parse_export(read(content), "exp_1")
        message = str(caught.value)
        assert f"is about export {sanitize(told)}, not about export exp_1" in message
        assert message.isprintable()


def test_ids_of_any_length_make_no_long_message() -> None:
    """Whatever the API sends in place of what was asked for."""
    with pytest.raises(DecodeError) as caught:
        parse_export(read({"id": "x" * 9000}), "y" * 9000)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "content",
    [
        {"status": 200, "data": [{"id": "exp_1"}]},
        [{"id": "exp_1"}],
        {"status": 200, "data": [], "pagination": {"has_more": False}},
        {"status": 200, "data": "exp_1"},
    ],
)
def test_a_listing_is_no_answer_about_one_export(content: Any) -> None:
    """Not even one that holds just this export."""
    with pytest.raises(DecodeError, match="is not an export but"):
        parse_export(read(content), "exp_1")


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
    assert wait(Retry_After="9" * 400) == wait(Retry_After="9" * 5000) == MAX_RETRY_AFTER
    assert wait(Retry_After="Fri, 01 Jan 8999 00:00:00 GMT") == MAX_RETRY_AFTER
    for nonsense in (*ABSURD_DATES, "soon", "-5", "1.5", "", "²", "Wed, 99 Foo 2024 99:99:99 GMT"):
        assert wait(Retry_After=nonsense) is None
    assert wait() is None
    assert refused({}, 429, Retry_After="7").retry_after == 7


ABSURD_DATES = (
    "Wed, 01 May 99999999999999999999 12:00:00 GMT",
    f"Wed, 01 May {'9' * 5000} 12:00:00 GMT",
    "Wed, 01 May 2024 12:00:00 +99999999999999",
    "Wed, 01 May 2024 12:00:00 -9999",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Fri, 31 Dec 9999 23:59:59 -1200",
    "Mon, 01 Jan 1000 00:00:00 +1200",
)


@pytest.mark.parametrize("text", ABSURD_DATES)
def test_a_date_out_of_any_sense_is_no_date(text: str) -> None:
    """Nothing has to be reckoned with it."""
    assert http_date(text) is None
    assert answer({}, Date=text).served is None


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
