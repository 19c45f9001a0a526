"""The parameters `format` and `types`."""

from __future__ import annotations

import sys

import pytest

from packagex_async._parquet.requested import parse_format
from packagex_async.errors import ConfigurationError


def test_format() -> None:
    """By default, files have no other format."""
    assert parse_format(None, None) is None
    parsed = parse_format("parquet", {"a": "int8"})
    assert parsed is not None
    assert (parsed.name, parsed.type_names) == ("parquet", {"a": "int8"})


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the missing extra."""
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ConfigurationError, match="packagex-async"):
        parse_format("parquet", None)


def test_type_that_parquet_cannot_store() -> None:
    """It is refused before anything is requested."""
    with pytest.raises(ConfigurationError, match="in a Parquet file"):
        parse_format("parquet", {"a": "decimal128(5, -2)"})
