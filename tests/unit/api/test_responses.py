"""Responses of the API: decoding, error statuses, and the envelopes of exports and pages."""

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
    DecodeError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from packagex_async._api.json_slices import LARGE, MAX_ITEMS
from packagex_async._api.responses import (
    MAX_RETRY_AFTER,
    ApiResponse,
    parse_created_export,
    parse_export,
    parse_page,
    parse_retry_after,
    raise_for_status,
)
from packagex_async._utils.http_headers import parse_http_date
from packagex_async._utils.redaction import Secret, sanitize

NOW = 1_714_564_800.0
KEY = Secret("px_CANARY")

INVALID_DATES = (
    "Wed, 01 May 99999999999999999999 12:00:00 GMT",
    f"Wed, 01 May {'9' * 5000} 12:00:00 GMT",
    "Wed, 01 May 2024 12:00:00 +99999999999999",
    "Wed, 01 May 2024 12:00:00 -9999",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Fri, 31 Dec 9999 23:59:59 -1200",
    "Mon, 01 Jan 1000 00:00:00 +1200",
)


def response(content: Any, status: int = 200, **headers: str) -> ApiResponse:
    """Decode a response with this JSON or body."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ApiResponse.decode("GET /x", status, CIMultiDict(named), body)


def read(content: Any, status: int = 200, **headers: str) -> ApiResponse:
    """Decode a successful response."""
    result = response(content, status, **headers)
    raise_for_status(result, key=KEY, now=NOW)
    return result


def refused(content: Any, status: int = 200, **headers: str) -> ApiError:
    """Return the error for a response."""
    with pytest.raises(ApiError) as caught:
        read(content, status, **headers)
    return caught.value


@pytest.mark.parametrize(
    ("status", "error_class"),
    [
        (302, ApiError),
        (400, BadRequestError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (409, ApiError),
        (410, NotFoundError),
        (422, BadRequestError),
        (429, RateLimitError),
        (500, ServerError),
        (503, ServerError),
        (599, ServerError),
    ],
)
def test_each_status_has_an_error_class(status: int, error_class: type[ApiError]) -> None:
    """The status comes from HTTP or from the envelope, the other fields from the envelope."""
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
        assert type(error) is error_class
        assert (error.status, error.message, error.code) == (status, "It said so", "some_code")
        assert error.errors == ({"property": "limit"},)
        assert error.endpoint == "GET /v1/exports"


def test_code_is_an_alias_of_error_code() -> None:
    """The documentation of the API uses both."""
    assert refused({"code": "other_name"}, 400).code == "other_name"
    assert refused({"error_code": None}, 400).code is None
    assert refused({"error_code": 17}, 400).code == "17"


def test_error_without_an_envelope_describes_the_status() -> None:
    """The body is HTML, empty or an array."""
    for body in (b"<html>Bad gateway</html>", b"", b"[]", b"\xff\xfe", b"[" * 100_000):
        error = refused(body, 502)
        assert (error.message, error.endpoint, error.errors) == ("Bad Gateway", "GET /x", ())
    assert refused({"errors": "limit"}, 400).errors == ()
    assert refused({"message": ["x"], "error_code": {"a": 1}, "endpoint": [[]]}, 502).message == "Bad Gateway"
    assert refused(b"", 799).message == "no reason given"
    assert "check base_url" in refused(b"", 301).message


@pytest.mark.parametrize("depth", [33, 700, 900])
def test_errors_may_be_nested_to_any_depth(depth: int) -> None:
    """Deep levels are omitted. The error can be printed and pickled."""
    nested: Any = "limit"
    for _ in range(depth):
        nested = [nested] if depth % 2 else {"in": nested}
    for content in ({"errors": [nested]}, {"errors": [], "message": nested, "code": nested}):
        error = refused(content, 400)
        assert len(repr(vars(error))) < 3000
        assert pickle.loads(pickle.dumps(error)).errors == error.errors


def test_error_is_limited_in_size() -> None:
    """Long texts and lists are truncated."""
    error = refused({"message": "m" * 10**6, "errors": ["x" * 10**6] * 200, "endpoint": "e" * 10**6}, 400)
    assert len(str(error)) < 5000
    assert len(error.errors) == 100
    assert max(map(len, error.errors)) <= 2000


@pytest.mark.parametrize("status", [True, -1, 99, 600, 10**400, 1.5, "404", None, 200, 299])
def test_invalid_status_in_the_envelope_is_ignored(status: Any) -> None:
    """The HTTP status applies."""
    assert parse_created_export(read({"status": status, "data": {"id": "exp_1"}})).id == "exp_1"


def test_trap_09_secrets_in_a_response_are_redacted() -> None:
    """An error contains neither the key nor a signature."""
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


def test_response_that_is_not_json_is_a_decode_error() -> None:
    """The message names the request and contains nothing of the body."""
    with pytest.raises(DecodeError, match=r"GET /x: the response is not JSON$"):
        read(b"<html>CANARY</")


async def test_large_response_is_decoded_in_slices() -> None:
    """With the same result as in one call. A response that is too large is an error."""

    async def decode(body: bytes) -> ApiResponse:
        result = await ApiResponse.decode_in_slices("GET /x", 200, CIMultiDict(), body)
        raise_for_status(result, key=KEY, now=NOW)
        return result

    content = {"data": [{"id": f"exp_{number}"} for number in range(LARGE // 16)]}
    for body in (b'{"id": "exp_1"}', json.dumps(content).encode()):
        assert (await decode(body)).payload == json.loads(body)
    for broken in (b" " * LARGE + b"<", b"[" * LARGE):
        with pytest.raises(DecodeError, match=r"GET /x: the response is not JSON$"):
            await decode(broken)
    with pytest.raises(DecodeError, match=r"GET /x: the response has an array of more than 1,000,000 items"):
        await decode(b"[" + b"0," * (MAX_ITEMS + 1) + b"0]")


def test_content_type_and_byte_order_mark_are_ignored() -> None:
    """Only the body decides."""
    assert read(b'\xef\xbb\xbf{"id": "exp_1"}', Content_Type="text/html").payload == {"id": "exp_1"}


def test_export_is_parsed_with_and_without_an_envelope() -> None:
    """The documentation of the API shows both."""
    export = {"id": "exp_1", "status": "completed"}
    bare, enveloped = read(export), read({"status": 200, "data": export})
    assert parse_export(bare, "exp_1") == parse_export(enveloped, "exp_1") == parse_created_export(bare)
    assert parse_export(read(export | {"data": "value"}), "exp_1").extra == {"data": "value"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"status": 200, "data": None}, "GET /x: data is not an export but null"),
        ({"status": 200, "data": {"name": "a"}}, r"GET /x: data\.id is missing"),
        ({"message": "hello"}, r"GET /x: the response\.id is missing"),
        ([], "GET /x: the response is not an export but an array"),
    ],
)
def test_missing_export_is_an_error_with_position(content: Any, message: str) -> None:
    """The message names the request and the field."""
    with pytest.raises(DecodeError, match=message):
        parse_export(read(content), "exp_1")


def test_page_is_parsed_with_and_without_an_envelope() -> None:
    """An array alone is a page, too."""
    data = [{"id": "exp_1"}, {"id": "exp_2"}]
    enveloped = parse_page(read({"data": data, "pagination": {"has_more": True, "total_count": 9}})).load()
    assert [export.id for export in enveloped] == ["exp_1", "exp_2"]
    assert enveloped.pagination.total_count == 9
    bare = parse_page(read(data)).load()
    assert (bare.data, bare.pagination.inferred, enveloped.pagination.inferred) == (
        enveloped.data,
        True,
        False,
    )


@pytest.mark.parametrize("content", [{}, {"data": None}, {"data": {"id": "exp_1"}}, None, "text"])
def test_missing_page_is_a_decode_error(content: Any) -> None:
    """The field `data` of a page is always an array."""
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
def test_trap_24_malformed_item_is_omitted_from_its_page(item: Any) -> None:
    """The page contains all others, the number of malformed items, and the position of the first."""
    page = parse_page(read({"data": [{"id": "a"}, item, {"id": "b"}, item]})).load()
    assert [export.id for export in page] == ["a", "b"]
    assert page.malformed == 2
    assert str(page.first_malformed).startswith("GET /x: data[1]")


def test_trap_09_traceback_of_a_page_contains_no_urls() -> None:
    """Some tracebacks show the values of local variables."""

    def with_url() -> ApiResponse:
        data = [{"id": "a", "_csv_url": "https://s.example/a?sig=CANARY"}]
        return read({"data": data, "pagination": {"has_more": 1}})

    result = with_url()
    with pytest.raises(DecodeError, match=r"has_more must be true or false, not int") as caught:
        parse_page(result)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "CANARY" not in "".join(shown.format())


def test_items_are_released_during_the_conversion() -> None:
    """Otherwise, all items of a large page would be freed in one step."""
    result = read({"data": [{"id": f"exp_{number}"} for number in range(101)]})
    page = iter(parse_page(result))
    next(page)
    assert result.payload["data"] == [None] * 100 + [{"id": "exp_100"}]


@pytest.mark.parametrize("other_id", ["exp_2", "EXP_1", "exp_1 ", " exp_1", "exp_1\n", "exp_"])
def test_response_with_a_different_export_is_refused(other_id: str) -> None:
    """Ids are compared exactly. The message contains both."""
    for content in ({"id": other_id, "status": "completed"}, {"status": 200, "data": {"id": other_id}}):
        with pytest.raises(DecodeError) as caught:
            parse_export(read(content), "exp_1")
        message = str(caught.value)
        assert f"contains export {sanitize(other_id)} instead of the requested export exp_1" in message
        assert message.isprintable()


def test_long_ids_are_truncated_in_messages() -> None:
    """Those of the request and of the response."""
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
def test_page_is_not_a_response_with_one_export(content: Any) -> None:
    """Even if it contains only the requested export."""
    with pytest.raises(DecodeError, match="is not an export but"):
        parse_export(read(content), "exp_1")


def test_trap_14_retry_after_is_seconds_or_a_date() -> None:
    """A date is compared with the `Date` of the response, or with the local time without one."""

    def parsed(**headers: str) -> float | None:
        return parse_retry_after(response(b"", 200, **headers).headers, now=NOW)

    date = formatdate(NOW + 90, usegmt=True)
    assert parsed(Retry_After="120") == 120
    assert parsed(Retry_After=" 3 ") == 3
    assert parsed(Retry_After=date) == 90
    assert parsed(Retry_After=date, Date=formatdate(NOW + 60, usegmt=True)) == 30
    assert parsed(Retry_After=formatdate(NOW - 60, usegmt=True)) == 0
    assert parsed(Retry_After="9" * 400) == parsed(Retry_After="9" * 5000) == MAX_RETRY_AFTER
    assert parsed(Retry_After="Fri, 01 Jan 8999 00:00:00 GMT") == MAX_RETRY_AFTER
    for invalid in (*INVALID_DATES, "soon", "-5", "1.5", "", "²", "Wed, 99 Foo 2024 99:99:99 GMT"):
        assert parsed(Retry_After=invalid) is None
    assert parsed() is None
    assert refused({}, 429, Retry_After="7").retry_after == 7


@pytest.mark.parametrize("text", INVALID_DATES)
def test_date_out_of_range_is_ignored(text: str) -> None:
    """Calculations with it would overflow."""
    assert parse_http_date(text) is None
    assert response({}, Date=text).server_date is None


@given(st.text(max_size=30))
def test_any_text_is_a_date_or_ignored(text: str) -> None:
    """Parsing raises no error."""
    date = parse_http_date(text)
    assert date is None or date.tzinfo is not None


def test_date_without_a_time_zone_is_utc() -> None:
    """As all HTTP dates are."""
    date = parse_http_date("Wed, 01 May 2024 12:00:00 -0000")
    assert date is not None
    assert date.timestamp() == NOW
