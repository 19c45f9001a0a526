"""The methods that list exports: the parameters of the request, and parameters that are refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from aioresponses import aioresponses

from packagex_async import AsyncPackageX, ConfigurationError, ExportStatus

URL = "https://api.packagex.io/v1/exports"


async def test_list_and_pages_send_the_same_request(api: aioresponses) -> None:
    """`list` yields the exports of the pages."""
    payload = {"data": [{"id": "exp_1"}, {"id": "exp_2"}], "pagination": {"has_more": False}}
    api.get(re.compile(re.escape(URL)), payload=payload, repeat=True)
    options: dict[str, Any] = {"limit": 2, "resource": "contact", "statuses": ExportStatus.COMPLETED}
    async with AsyncPackageX("px_key") as px:
        listed = [export.id async for export in px.exports.list(**options)]
        paged = [export.id async for page in px.exports.pages(**options) for export in page]
    assert listed == paged == ["exp_1", "exp_2"]
    ((_, url),) = api.requests
    assert {"limit": "2", "resource": "contact", "statuses": "completed"}.items() <= url.query.items()


@pytest.mark.parametrize("method", ["list", "pages"])
@pytest.mark.parametrize("option", [{"limit": 0}, {"page": 0}, {"prefetch": -1}, {"order_by": "name"}])
async def test_invalid_parameter(api: aioresponses, method: str, option: dict[str, Any]) -> None:
    """The call raises the error, which names the parameter. No request is sent."""
    async with AsyncPackageX("px_key") as px:
        with pytest.raises(ConfigurationError, match=next(iter(option))):
            getattr(px.exports, method)(**option)
    assert not api.requests
