"""Warnings name the line of the user's code that called this package."""

from __future__ import annotations

import gc
import inspect
import warnings
from collections.abc import Iterator

import aiohttp
import pytest

from packagex_async import AsyncPackageX
from packagex_async._utils.call_site import CallSite, find_call_site
from packagex_async.testing import Emulator


@pytest.fixture
def caught() -> Iterator[list[warnings.WarningMessage]]:
    """Record all warnings."""
    with warnings.catch_warnings(record=True, action="always") as caught:
        yield caught


def line() -> int:
    """Return the number of the calling line."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def test_the_call_site_is_the_nearest_line_outside_of_the_package() -> None:
    """This file, if it is the direct caller."""
    assert find_call_site() == CallSite(__file__, line(), __name__)


async def test_a_client_that_is_not_closed_warns_with_the_line_that_created_it(
    server: Emulator, caught: list[warnings.WarningMessage]
) -> None:
    """Also if a helper of this package created it. aiohttp issues no further warning."""
    async with aiohttp.TCPConnector() as connector:
        px = server.client(connector=connector)
        created = line() - 1
        assert not [export async for export in px.exports.list()]
        del px
        gc.collect()
    (warning,) = caught
    assert (warning.category, warning.filename, warning.lineno) == (ResourceWarning, __file__, created)
    assert str(warning.message) == (
        f"AsyncPackageX(base_url={server.base_url!r}) was not closed: "
        "use it in an `async with` block, or await its aclose()"
    )


async def test_a_client_in_use_does_not_warn(server: Emulator, caught: list[warnings.WarningMessage]) -> None:
    """`client.exports` keeps the client open. A client that sent no request has nothing to close."""
    AsyncPackageX("key")
    px = server.client()
    exports, close = px.exports, px.aclose
    del px
    gc.collect()
    assert not [export async for export in exports.list()]
    await close()
    del exports, close
    gc.collect()
    assert caught == []
