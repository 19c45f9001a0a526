"""Imports the extra `arrow` when it is needed."""

from __future__ import annotations

import importlib

from packagex_async.errors import ConfigurationError

_MODULES = ("pyarrow", "pyarrow.compute", "pyarrow.csv", "pyarrow.parquet")


def require_pyarrow() -> None:
    """Check that pyarrow can be imported.

    Raises:
        ConfigurationError: pyarrow is not installed, or cannot be imported.
    """
    try:
        for name in _MODULES:
            importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"Arrow and Parquet need the extra arrow: pip install 'packagex-async[arrow]' adds it ({error})"
        ) from error
