"""The parameters of `watch`."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from packagex_async import AsyncPackageX, ConfigurationError, ExportStatus


@pytest.mark.parametrize(
    "option",
    [
        {"interval": 0},
        {"interval": -1.5},
        {"interval": math.nan},
        {"interval": math.inf},
        {"interval": True},
        {"interval": "60"},
        {"limit": 0},
        {"search": ""},
        {"statuses": []},
        {"statuses": ExportStatus.QUEUED},
        {"created_after": datetime(2026, 1, 1)},  # the reason to refuse it
    ],
    ids=str,
)
async def test_invalid_parameter(option: dict[str, Any]) -> None:
    """The call raises the error, which names the parameter."""
    async with AsyncPackageX("px_key") as px:
        with pytest.raises(ConfigurationError, match=next(iter(option))):
            px.exports.watch(**option)


async def test_created_filter_is_accepted() -> None:
    """A watch can be restricted to new exports; no request is sent before the first iteration."""
    async with AsyncPackageX("px_key") as px:
        exports = px.exports.watch(created_after=datetime(2026, 1, 1, tzinfo=UTC))
        await exports.aclose()
