"""An import that fails at the first call of an operation is an error of this package."""

from __future__ import annotations

import errno

import pytest

from packagex_async import ConfigurationError
from packagex_async._concurrency.lazy_imports import importing


@pytest.mark.parametrize("error", [ImportError("no module"), OSError(errno.EMFILE, "too many open files")])
def test_import_fails(error: Exception) -> None:
    """The error names the operation and has the cause."""
    with (
        pytest.raises(ConfigurationError, match=r"^list\(\) cannot be loaded: ") as caught,
        importing("list()"),
    ):
        raise error
    assert caught.value.__cause__ is error


def test_import_succeeds() -> None:
    """A successful import has no effect on the block."""
    with importing("list()"):
        from packagex_async._listing.lister import list_exports
    assert callable(list_exports)
