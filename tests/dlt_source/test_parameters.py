"""Parameters are checked when the source is created, without a request."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from packagex_async import ConfigurationError
from packagex_async.integrations.dlt import exports_source

dlt = pytest.importorskip("dlt")

source: Any = exports_source


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"status": "completed"}, "unknown filter 'status': the filters are created_after, .*, statuses"),
        ({"page": 2}, "unknown filter 'page'"),
        ({"limit": 0}, "limit must be a whole number"),
        ({"order_by": "name"}, "order_by must be one of"),
        ({"created_after": datetime(2026, 1, 1)}, "created_after must have a time zone"),
        ({"artifact": "xml"}, "artifacts must be some of"),
        ({"types": {"a": "number"}}, "the type of column 'a'"),
        ({"base_url": "http://packagex.example"}, "https"),
        ({"api_key": "\n"}, "no API key"),
    ],
)
def test_invalid_parameters(options: dict[str, Any], message: str) -> None:
    """Each invalid parameter is a configuration error that names it."""
    with pytest.raises(ConfigurationError, match=message):
        source(**{"api_key": "key", **options})


def test_missing_key() -> None:
    """Without a key, there is no source."""
    with pytest.raises(ConfigurationError, match="PX_API_KEY"):
        exports_source()


def test_order_of_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The argument precedes the environment variable, which precedes the configuration of dlt."""
    from packagex_async.integrations.dlt.parameters import parse_parameters

    def key(api_key: str | None = None) -> str:
        client = parse_parameters(api_key, None, "csv", None, {}).new_client()
        return client._sessions._settings.key.reveal()

    monkeypatch.setenv("SOURCES__PACKAGEX__API_KEY", "of_dlt")
    assert key() == "of_dlt"
    monkeypatch.setenv("PX_API_KEY", "variable")
    assert key() == "variable"
    assert key("argument") == "argument"
