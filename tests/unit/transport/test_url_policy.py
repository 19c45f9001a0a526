"""Validation of URLs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async import ConfigurationError
from packagex_async._transport.url_policy import (
    UrlPolicy,
    UrlRefusedError,
    check_base_url,
    check_proxy,
    is_loopback,
    parse_url,
    redirect_target,
)

PRODUCTION = UrlPolicy.for_base_url("https://api.packagex.io")
EMULATOR = UrlPolicy.for_base_url("http://127.0.0.1:8080")
SECURE_EMULATOR = UrlPolicy.for_base_url("https://localhost:8443")

LOOPBACK = ["127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST", "a.localhost", "localhost.", "::1", "0.0.0.0"]
LEGACY_LOOPBACK = ["127.1", "0x7f.1", "2130706433", "017700000001", "::ffff:127.0.0.1", "::", "0"]
OTHER_HOSTS = [
    "api.packagex.io",
    "10.0.0.1",
    "localhost.example",
    "128.0.0.1",
    "2001:db8::1",
    "notlocalhost",
    "a\0b",
]


@pytest.mark.parametrize("host", LOOPBACK + LEGACY_LOOPBACK)
def test_trap_11_loopback_host_is_recognized_in_any_notation(host: str) -> None:
    """Resolvers accept all of these notations."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", OTHER_HOSTS)
def test_other_host_is_not_loopback(host: str) -> None:
    """Including names and addresses that look similar."""
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "url",
    [
        "http://storage.example/a",
        "https://127.0.0.1/a",
        "https://[::1]/a",
        "http://127.0.0.1/a",
        "https://2130706433/a",
        "file:///etc/passwd",
        "ftp://storage.example/a",
        "https://user:pass@storage.example/a",
        "https:///a",
        "https://storage.example:99999/a",
        "https://storage.example:0/a",
        "https://storage.example/a b",
        "https://storage.example/a\r\nX: y",
        "https://storage.example/é",
        "https://[::1/a",
        "https://[]@",
        "//storage.example/a",
        "/a",
        "",
    ],
)
def test_trap_11_unsafe_url_is_refused(url: str) -> None:
    """Plain http, other schemes, loopback hosts, and malformed URLs."""
    with pytest.raises(UrlRefusedError):
        PRODUCTION.check(url)


def test_presigned_url_is_accepted_unchanged() -> None:
    """With escapes, a port and special characters."""
    url = "https://s3.example:8443/a%2Fb/./c?X-Sig=a%2Bb/=&e=%7E~'()*!;:@,$[]{}|\\^`\"<>"
    assert str(PRODUCTION.check(url)) == url


def test_loopback_is_allowed_only_with_a_loopback_api() -> None:
    """Plain http is allowed only if the base URL is http, too."""
    for url in ("http://127.0.0.1:9000/a", "https://localhost:9000/a", "https://storage.example/a"):
        assert str(EMULATOR.check(url)) == url
    assert SECURE_EMULATOR.check("https://localhost:9000/a")
    for policy, url in ((EMULATOR, "http://storage.example/a"), (SECURE_EMULATOR, "http://localhost:9000/a")):
        with pytest.raises(UrlRefusedError, match="it is not https"):
            policy.check(url)


@given(st.text(max_size=60) | st.text(max_size=60).map("https://{}".format))
def test_any_text_is_accepted_unchanged_or_refused(text: str) -> None:
    """With no other error."""
    try:
        assert str(PRODUCTION.check(text)).lower().startswith("https://")
    except UrlRefusedError as error:
        assert str(error)


@pytest.mark.parametrize(
    "host",
    ["a", "a.b", "a.b.", "A-B_c.example", "sandbox--api.packagex.io", "1.2.3.4", "[2001:db8::1]", "x" * 63],
)
def test_valid_host_is_accepted(host: str) -> None:
    """Names with labels of up to 63 characters, and addresses."""
    assert parse_url(f"https://{host}:8443/a") is not None


@pytest.mark.parametrize(
    "host",
    ["a..b", ".a", "x" * 64, "a%41", "1.2.3", "1.2.3.4.5", "256.1.1.1", "0x7f.1", "[v1.x]", "a,b"],
)
def test_invalid_host_is_refused(host: str) -> None:
    """Empty and long labels, and numbers that are not an address."""
    assert parse_url(f"https://{host}/a") is None


def test_proxy_url_keeps_user_and_password() -> None:
    """They are sent to the proxy."""
    proxy = check_proxy("http://user:p%40ss@proxy.example:3128")
    assert (proxy.user, proxy.password, proxy.port) == ("user", "p@ss", 3128)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://api.packagex.io", "https://api.packagex.io"),
        ("https://api.packagex.io/", "https://api.packagex.io"),
        ("https://gateway.example:8443/packagex/", "https://gateway.example:8443/packagex"),
        ("http://localhost:8080", "http://localhost:8080"),
    ],
)
def test_base_url_loses_its_trailing_slash(url: str, kept: str) -> None:
    """A path, a port and a loopback host are allowed."""
    assert check_base_url(url) == kept


@pytest.mark.parametrize(
    "url",
    [
        "http://api.packagex.io",
        "ftp://a.example",
        "api.packagex.io",
        "",
        "https://a.example?key=CANARY",
        "https://a.example#x",
        "https://user:CANARY@a.example",
        "http://a.example?CANARY",
        "https://a b",
    ],
)
def test_invalid_base_url_is_a_configuration_error(url: str) -> None:
    """The message contains a valid form, but no secret."""
    with pytest.raises(ConfigurationError, match=r"use https://host") as caught:
        check_base_url(url)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://other.example/x%2Fy?sig=%2B", "https://other.example/x%2Fy?sig=%2B"),
        ("/x%2Fy?sig=a%40b", "https://storage.example/x%2Fy?sig=a%40b"),
        ("?sig=%7E", "https://storage.example/a/b?sig=%7E"),
        ("//cdn.example/x", "https://cdn.example/x"),
        ("http://[::1", "http://[::1"),
    ],
)
def test_trap_07_location_of_a_redirect_is_unchanged(location: str, target: str) -> None:
    """Escapes are neither decoded nor encoded."""
    assert redirect_target("https://storage.example/a/b?old=1", location) == target
