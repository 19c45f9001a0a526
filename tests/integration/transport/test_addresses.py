"""Arbitrary URLs: each one is used unchanged, or refused with an error of this package."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver
from hypothesis import given
from hypothesis import strategies as st

from packagex_async import (
    AsyncPackageX,
    ConfigurationError,
    DownloadGroupError,
    Export,
    RetryPolicy,
    StorageError,
)
from packagex_async.testing import Emulator, Redirect
from tests.support import NO_BACKOFF

ONCE = RetryPolicy(attempts=1)

INVALID = [
    "https://h\\h/",
    "https://][::1/",
    "https://[::1",
    "https://[::1]x/",
    "https://[v1.x]/",
    "https://[fe80::1%25eth0]/",
    "https://a..b/",
    "https://.a/",
    "https://a../",
    f"https://{'a' * 64}.example/",
    f"https://{'a.' * 127}ab/",
    "https://xn--a\u00e9/",
    "https://ex\u00e4mple/",
    "https://1.2.3/",
    "https://256.1.1.1/",
    "https://1.2.3.4.5/",
    "https://0x7f.1/",
    "https://a%41/",
    "https://a:b/",
    "https://a:0/",
    "https://a:99999/",
    "https://a:-1/",
    "https://@/",
    "https://[]@",
    "https://a@/",
    "https://",
    "https:a",
    "https:///a",
    "https://a b/",
    "https://a\n/",
    "https://a\0/",
    "\ud800",
    "",
]
"""Texts that are not a valid URL."""

PIECES = [*"ahtps:/@[]\\?#%.0129-_&=+ \u00e9\n", "https://", "xn--", "[::1]", "..", "127.0.0.1"]
TEXTS = st.one_of(
    st.text(max_size=80),
    st.lists(st.sampled_from(PIECES), max_size=30).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=30).map(lambda pieces: "https://" + "".join(pieces)),
)


@pytest.mark.parametrize("url", INVALID)
async def test_invalid_download_url_is_refused(url: str, tmp_path: Path) -> None:
    """Nothing is sent, and other artifacts are not affected."""
    async with AsyncPackageX("key", retry=ONCE) as px:
        with pytest.raises(StorageError, match="the URL is not allowed"):
            async with px.exports.stream(Export(id="exp_1", csv_url=url or "x"), "csv"):
                pytest.fail("the URL was not refused")
        with pytest.raises(DownloadGroupError) as caught:
            await px.exports.download(Export(id="exp_1", csv_url=url or "x"), tmp_path)
    assert type(caught.value.exceptions[0]) is StorageError


@pytest.mark.parametrize("url", [url for url in INVALID if url.isascii() and url.isprintable() and url])
async def test_invalid_redirect_is_refused(server: Emulator, url: str) -> None:
    """A relative reference is followed."""
    stored = server.add_export(rows=1)
    server.inject(Redirect(url))
    async with server.client(retry=ONCE) as px:
        # Some of them are relative references to the same host.
        with suppress(StorageError):
            async with px.exports.stream(stored.id, "csv") as body:
                [block async for block in body]


@pytest.mark.parametrize("url", INVALID)
def test_invalid_base_url_or_proxy_is_refused(url: str) -> None:
    """Before anything is sent."""
    for name in ("base_url", "proxy"):
        options: dict[str, Any] = {name: url}
        with pytest.raises(ConfigurationError, match=f"{name} .*cannot be used"):
            AsyncPackageX("key", **options)


@pytest.mark.parametrize("url", [7, None, b"https://a", ["https://a"], object()])
def test_value_that_is_not_a_string_is_refused(url: Any) -> None:
    """For callers without a type checker."""
    for name in ("base_url", "proxy"):
        options: dict[str, Any] = {name: url}
        if url is not None:
            with pytest.raises(ConfigurationError):
                AsyncPackageX("key", **options)


@pytest.mark.parametrize(
    "login",
    ["\u20ac:x", "%E2%82%AC:x", "user:%E2%82%AC", "us%3Aer:x"],
    ids=["text", "user", "password", "colon"],
)
def test_unsendable_proxy_credentials_are_refused(login: str) -> None:
    """When the client is created."""
    with pytest.raises(ConfigurationError, match="proxy cannot be used"):
        AsyncPackageX("key", proxy=f"http://{login}@proxy.example:3128")


@given(TEXTS)
def test_any_text_is_used_or_refused(text: str) -> None:
    """As download URL, base URL and proxy, with trace configurations that receive the URL."""
    trace = aiohttp.TraceConfig()

    async def send_requests() -> None:
        for options in ({}, {"base_url": text}, {"proxy": text}):
            given: dict[str, Any] = {"retry": ONCE, "trace_configs": [trace], **options}
            with suppress(ConfigurationError):
                async with aiohttp.TCPConnector(resolver=FailingResolver()) as connector:
                    async with AsyncPackageX("key", connector=connector, **given) as px:
                        with pytest.raises(StorageError):
                            async with px.exports.stream(Export(id="e", csv_url=text or "x"), "csv"):
                                pytest.fail("the URL was not refused")

    asyncio.run(send_requests())


class FailingResolver(AbstractResolver):
    """A resolver that knows no name."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
        host.encode("idna")
        raise OSError(-2, "unknown")

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "seconds",
    [
        0,
        -1,
        float("inf"),
        float("-inf"),
        float("nan"),
        True,
        False,
        "60",
        None,
        10**400,
        10**5000,
        1e300,
        [1],
    ],
    ids=lambda seconds: type(seconds).__name__,
)
@pytest.mark.parametrize("name", ["timeout", "stall_timeout"])
def test_invalid_timeout_is_refused(name: str, seconds: Any) -> None:
    """When the client is created."""
    options: dict[str, Any] = {name: seconds}
    with pytest.raises(ConfigurationError, match=f"{name} must be more than 0 seconds"):
        AsyncPackageX("key", **options)


@pytest.mark.parametrize("seconds", [1, 0.001, 366 * 24 * 3600])
async def test_valid_timeout_is_accepted(server: Emulator, seconds: float) -> None:
    """From a millisecond to a year."""
    stored = server.add_export(rows=1)
    async with server.client(stall_timeout=seconds, timeout=max(seconds, 60), retry=NO_BACKOFF) as px:
        assert (await px.exports.retrieve(stored.id)).id == stored.id
