"""Warnings name the line of whoever has called us."""

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
def heard() -> Iterator[list[warnings.WarningMessage]]:
    """Every warning that is given."""
    with warnings.catch_warnings(record=True, action="always") as heard:
        yield heard


def line() -> int:
    """The number of the line it is called in."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def test_the_caller_is_the_nearest_line_outside_the_package() -> None:
    """A line of this very file, when nothing of ours is between."""
    assert find_call_site() == CallSite(__file__, line(), __name__)


async def test_a_client_that_is_not_closed_warns_naming_the_line_that_made_it(
    server: Emulator, heard: list[warnings.WarningMessage]
) -> None:
    """Also when a helper of ours made it; aiohttp's sessions do not complain on top of it."""
    async with aiohttp.TCPConnector() as connector:
        px = server.client(connector=connector)
        made = line() - 1
        assert not [export async for export in px.exports.list()]
        del px
        gc.collect()
    (warning,) = heard
    assert (warning.category, warning.filename, warning.lineno) == (ResourceWarning, __file__, made)
    assert str(warning.message) == (
        f"AsyncPackageX(base_url={server.base_url!r}) was not closed: "
        "use it in an `async with` block, or await its aclose()"
    )


async def test_what_is_still_used_is_not_complained_of(
    server: Emulator, heard: list[warnings.WarningMessage]
) -> None:
    """The exports keep what they need, and a client that never sent anything has nothing to close."""
    AsyncPackageX("key")
    px = server.client()
    exports, close = px.exports, px.aclose
    del px
    gc.collect()
    assert not [export async for export in exports.list()]
    await close()
    del exports, close
    gc.collect()
    assert heard == []
