"""The extra `arrow`."""

from __future__ import annotations

import sys

import pytest

from packagex_async._arrow.extra import require_pyarrow
from packagex_async.errors import ConfigurationError


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the missing extra."""
    require_pyarrow()
    monkeypatch.setitem(sys.modules, "pyarrow.csv", None)
    with pytest.raises(
        ConfigurationError, match=r"the extra arrow: pip install 'packagex-async\[arrow\]' adds it"
    ):
        require_pyarrow()
