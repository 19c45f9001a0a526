"""Requests to the Exports API, and the validation of their parameters."""

from __future__ import annotations

from typing import Any

import pytest

from packagex_async import (
    ApiError,
    ConfigurationError,
    ConnectionFailedError,
    DecodeError,
    PackageXError,
)
from packagex_async._api.requests import Request, check_integer, export_target


def test_target_of_an_export() -> None:
    """The id is quoted, and only flags that are set appear."""
    assert export_target("exp_1", include_csv=True, include_json=True) == (
        "/v1/exports/exp_1?include_csv=true&include_json=true"
    )
    assert (
        export_target("exp_1", include_csv=False, include_json=True) == "/v1/exports/exp_1?include_json=true"
    )
    assert export_target("../a b?c", include_csv=False, include_json=False) == "/v1/exports/..%2Fa%20b%3Fc"


@pytest.mark.parametrize("export_id", ["", " ", ".", "..", None, 7, "exp_\udcff"])
def test_invalid_export_id_is_a_configuration_error(export_id: Any) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigurationError, match="export_id must be an export's id"):
        export_target(export_id, include_csv=False, include_json=False)


@pytest.mark.parametrize(
    ("failure", "connected", "ambiguous"),
    [
        (ConnectionFailedError("reset"), True, True),
        (ConnectionFailedError("refused"), False, False),
        (DecodeError("not JSON"), True, True),
        (ApiError("no", status=500), True, True),
        (ApiError("no", status=408), True, True),
        (ApiError("no", status=422), True, False),
        (ApiError("no", status=429), True, False),
    ],
)
def test_failed_creation_may_have_succeeded(failure: PackageXError, connected: bool, ambiguous: bool) -> None:
    """Unless there was no connection, or the API refused it with a 4xx other than 408."""
    creation = Request("POST", "/v1/exports", b"{}")
    assert creation.may_have_succeeded(failure, connected=connected) is ambiguous
    assert not Request("GET", "/v1/exports").may_have_succeeded(failure, connected=connected)


def test_request_is_shown_without_its_query() -> None:
    """By its method and path."""
    request = Request("GET", "/v1/exports?search=CANARY")
    assert (str(request), request.path) == ("GET /v1/exports", "/v1/exports")


@pytest.mark.parametrize("value", [0, -1, True, 1.0, "1", None])
def test_integer_is_checked(value: Any) -> None:
    """Its type, and its minimum."""
    assert check_integer("prefetch", 1, min_value=1) == 1
    with pytest.raises(ConfigurationError, match="prefetch must be a whole number from 1 up"):
        check_integer("prefetch", value, min_value=1)
