"""Properties for arbitrary JSON responses: each one is a result, or an error of this package."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import aclosing
from typing import Any
from unittest.mock import patch

from aioresponses import aioresponses, core
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from packagex_async import AsyncPackageX, DecodeError, Export, PackageXError, PaginationError, RetryPolicy
from packagex_async._api.responses import (
    ApiResponse,
    parse_created_export,
    parse_export,
    parse_page,
    raise_for_status,
)
from packagex_async._listing.paginator import Paginator
from packagex_async._utils.redaction import Secret
from tests.conftest import MockResponse
from tests.support import examples

LIST = "https://api.packagex.io/v1/exports"
KEY = Secret("px_CANARY")

HOSTILE: list[Any] = [
    "exp_1", "", "..", "\ud800", "9" * 5000, "9999-12-31T23:59:59Z", "0001-01-01", "nan", "1e999", 10**400,
    1e300, -(2**70), 253402300800, "COMPLETED", "queued", "//h", "https://h\\h/", "\x1b]0;x\x07", "a\nb",
]  # fmt: skip
SCALARS: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(HOSTILE)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
NAMES = [
    "id", "object", "resource", "status", "name", "count_batches", "count_total", "created_at", "updated_at",
    "organization_id", "_json_url", "_csv_url", "_csv_error_url", "_csv_sanitized_url", "id",
]  # fmt: skip
EXPORTS = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON)) | st.fixed_dictionaries(
    {"id": st.sampled_from(["exp_1", "exp_2", "exp_3"])}, optional=dict.fromkeys(NAMES[1:-1], JSON)
)
PAGINATIONS = st.none() | st.fixed_dictionaries(
    {}, optional={"has_more": st.booleans() | JSON, "page": JSON, "limit": JSON, "total_count": JSON}
)
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "status": st.integers(100, 700) | JSON,
        "data": EXPORTS | st.lists(EXPORTS | JSON, max_size=4) | JSON,
        "pagination": PAGINATIONS | JSON,
        "errors": JSON,
        "message": JSON,
        "error_code": JSON,
        "code": JSON,
        "endpoint": JSON,
    },
)
PAYLOADS = ENVELOPES | EXPORTS | JSON
DATES = [
    "Fri, 31 Dec 9999 23:59:59 GMT", "Wed, 01 May 2024 12:00:00 +9999999999999", "9" * 400, "-1", "", "nan",
    "Wed, 01 May 2024 12:00:00 GMT", "Mon, 01 Jan 1900 00:00:00 GMT", "Wed, 01 May 8999 12:00:00 GMT",
]  # fmt: skip
HEADERS = st.fixed_dictionaries({}, optional=dict.fromkeys(("Date", "Retry-After"), st.sampled_from(DATES)))


def accepted(content: Any, status: int, headers: dict[str, str]) -> ApiResponse | None:
    """Return the response, or `None` if it is an error."""
    body = json.dumps(content).encode()
    result = ApiResponse.decode("GET /x", status, CIMultiDict(headers), body)
    try:
        raise_for_status(result, key=KEY, now=0.0)
    except PackageXError as error:
        assert str(error).isprintable()
        return None
    return result


def certain_ids(content: Any) -> set[str]:
    """Return the ids in a payload that are certainly valid."""
    items = content["data"] if isinstance(content, dict) else content
    ids = [item.get("id") for item in items if isinstance(item, dict)]
    return {name for name in ("exp_1", "exp_2", "exp_3") if name in ids}


@given(PAYLOADS, st.sampled_from([200, 201, 400, 429, 503]), HEADERS)
def test_any_response_is_the_requested_export_or_an_error(
    content: Any, status: int, headers: dict[str, str]
) -> None:
    """Its message can be printed."""
    if (result := accepted(content, status, headers)) is None:
        return
    try:
        assert parse_export(result, "exp_1").id == "exp_1"
    except DecodeError as error:
        assert str(error).isprintable()
    try:
        assert isinstance(parse_created_export(result), Export)
    except DecodeError as error:
        assert str(error).isprintable()


@given(st.lists(PAYLOADS, min_size=1, max_size=5), HEADERS)
def test_any_pages_are_paginated_or_an_error(contents: list[Any], headers: dict[str, str]) -> None:
    """No valid export is lost, and none is yielded twice."""
    paginator, yielded, expected = Paginator(), [], set()
    for content in contents:
        request = paginator.next_request
        if request is None or (result := accepted(content, 200, headers)) is None:
            break
        try:
            page = parse_page(result)
            batches = paginator.process(request, page, result.server_date)
            yielded += [export.id for batch in batches for export in batch]
        except (DecodeError, PaginationError) as error:
            assert str(error).isprintable()
            break
        if not request.is_check:
            expected |= certain_ids(content)
    assert len(yielded) == len(set(yielded))
    assert expected <= set(yielded)


@settings(max_examples=examples(60))
@given(st.sampled_from(["retrieve", "wait", "create", "list", "pages"]), PAYLOADS, HEADERS)
def test_any_response_ends_a_call_with_a_result_or_an_error(
    call: str, content: Any, headers: dict[str, str]
) -> None:
    """For each method that sends requests to the API."""
    with patch.object(core, "ClientResponse", MockResponse):
        asyncio.run(call_client(call, content, headers))


async def call_client(call: str, content: Any, headers: dict[str, str]) -> None:
    """Call one method of a client; each response has this payload."""
    body = json.dumps(content).encode()
    with aioresponses() as api:
        for method in (api.get, api.post):
            method(re.compile(r".*"), body=body, headers=headers, repeat=True)
        async with AsyncPackageX("px_CANARY", retry=RetryPolicy(attempts=1)) as px:
            try:
                match call:
                    case "retrieve":
                        assert (await px.exports.retrieve("exp_1")).id == "exp_1"
                    case "wait":
                        # The timeout ends it after the first request.
                        assert (await px.exports.wait("exp_1", timeout=1e-9)).id == "exp_1"
                    case "create":
                        assert (await px.exports.create("contact")).id
                    case "list":
                        async with aclosing(px.exports.list(limit=2)) as exports:
                            ids = [export.id async for export in exports]
                        assert len(ids) == len(set(ids))
                    case _:
                        async with aclosing(px.exports.pages(limit=2)) as pages:
                            assert [page async for page in pages]
            except PackageXError as error:
                assert str(error).isprintable()
                assert "px_CANARY" not in str(error)
