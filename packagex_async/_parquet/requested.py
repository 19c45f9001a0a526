"""The parameters `format` and `types` of downloads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from packagex_async._arrow.extra import require_pyarrow
from packagex_async._download.options import FileFormat
from packagex_async.errors import ConfigurationError


def parse_format(name: str | None, types: Mapping[str, Any] | None) -> FileFormat | None:
    """Return the format of a download, given the parameters `format` and `types`.

    Raises:
        ConfigurationError: A parameter is invalid, or pyarrow is not installed.
    """
    if name is None and types is None:
        return None
    if name is None:
        raise ConfigurationError('types needs format="parquet": the columns of CSV files have no types')
    if name != "parquet":
        raise ConfigurationError(f"format must be 'parquet' or None, not {name!r}")
    require_pyarrow()
    from packagex_async._arrow.types import parse_types
    from packagex_async._parquet.parquet_format import ParquetFormat
    from packagex_async._parquet.source import check_types

    parsed = parse_types(types)
    check_types(parsed)
    return ParquetFormat(parsed)
