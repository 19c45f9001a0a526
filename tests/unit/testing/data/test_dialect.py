"""Variants of the API's responses."""

from __future__ import annotations

from typing import Any

import pytest

from packagex_async.testing import Dialect

CSV = {"csv", "csv_error", "csv_sanitized"}


@pytest.mark.parametrize(
    ("timestamps", "expected"),
    [("seconds", 1), ("milliseconds", 1500), ("iso", "1970-01-01T00:00:01.500Z")],
)
def test_timestamps(timestamps: Any, expected: int | str) -> None:
    """Seconds are truncated."""
    assert Dialect(timestamps=timestamps).format_timestamp(1.5) == expected


@pytest.mark.parametrize(
    ("flags", "include_csv", "include_json"), [("crosswise", {"json"}, CSV), ("straight", CSV, {"json"})]
)
def test_include_flags(flags: Any, include_csv: set[str], include_json: set[str]) -> None:
    """Both flags together include all artifacts."""
    dialect = Dialect(flags=flags)
    assert dialect.included_artifacts(include_csv=True, include_json=False) == include_csv
    assert dialect.included_artifacts(include_csv=False, include_json=True) == include_json
    assert dialect.included_artifacts(include_csv=True, include_json=True) == CSV | {"json"}
    assert dialect.included_artifacts(include_csv=False, include_json=False) == frozenset()


@pytest.mark.parametrize(
    ("absent_urls", "absent"), [("missing", {}), ("null", {"_json_url": None}), ("empty", {"_json_url": ""})]
)
def test_absent_urls(absent_urls: Any, absent: dict[str, object]) -> None:
    """They are omitted, null or empty."""
    fields = Dialect(absent_urls=absent_urls).url_fields({"csv": "https://x"})
    assert fields["_csv_url"] == "https://x"
    assert {name: value for name, value in fields.items() if name == "_json_url"} == absent


def test_pagination_fields() -> None:
    """`has_more` is always included."""
    assert Dialect(pagination_fields=frozenset({"page"})).pagination(has_more=True, page=1, limit=2) == {
        "page": 1,
        "has_more": True,
    }


def test_error_key() -> None:
    """It is the name of the error code in the envelope."""
    envelope = Dialect(error_key="code").envelope(404, "no", "/v1/exports", errors=("a",), code="not_found")
    assert (envelope["code"], envelope["errors"], envelope["data"]) == ("not_found", ["a"], None)
