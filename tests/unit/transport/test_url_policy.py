"""Which addresses may be asked for."""

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

PRODUCTION = UrlPolicy.beside("https://api.packagex.io")
EMULATOR = UrlPolicy.beside("http://127.0.0.1:8080")
SECURE_EMULATOR = UrlPolicy.beside("https://localhost:8443")

LOOPBACK = ["127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST", "a.localhost", "localhost.", "::1", "0.0.0.0"]
ODD_LOOPBACK = ["127.1", "0x7f.1", "2130706433", "017700000001", "::ffff:127.0.0.1", "::", "0"]
ELSEWHERE = [
    "api.packagex.io",
    "10.0.0.1",
    "localhost.example",
    "128.0.0.1",
    "2001:db8::1",
    "notlocalhost",
    "a\0b",
]


@pytest.mark.parametrize("host", LOOPBACK + ODD_LOOPBACK)
def test_trap_11_this_machine_is_known_by_every_spelling(host: str) -> None:
    """Resolvers read them all."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_other_hosts_are_not_this_machine(host: str) -> None:
    """Names and addresses that only look alike."""
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
        "//storage.example/a",
        "/a",
        "",
    ],
)
def test_trap_11_a_production_client_fetches_none_of_these(url: str) -> None:
    """No plain http, no other scheme, nothing on this machine, nothing that cannot be sent as it stands."""
    with pytest.raises(UrlRefusedError):
        PRODUCTION.permit(url)


def test_what_a_presigned_url_looks_like_is_fetched() -> None:
    """Escapes, ports and odd characters are no obstacle."""
    url = "https://s3.example:8443/a%2Fb/./c?X-Sig=a%2Bb/=&e=%7E~'()*!;:@,$[]{}|\\^`\"<>"
    assert str(PRODUCTION.permit(url)) == url


def test_loopback_is_allowed_only_beside_a_loopback_api() -> None:
    """And plain http only when the API itself is asked so."""
    for url in ("http://127.0.0.1:9000/a", "https://localhost:9000/a", "https://storage.example/a"):
        assert str(EMULATOR.permit(url)) == url
    assert SECURE_EMULATOR.permit("https://localhost:9000/a")
    for rules, url in ((EMULATOR, "http://storage.example/a"), (SECURE_EMULATOR, "http://localhost:9000/a")):
        with pytest.raises(UrlRefusedError, match="it is not https"):
            rules.permit(url)


@given(st.text(max_size=60) | st.text(max_size=60).map("https://{}".format))
def test_no_text_is_too_odd_to_be_judged(text: str) -> None:
    """Whatever a response holds, it is fetched as it is written, or refused."""
    try:
        assert str(PRODUCTION.permit(text)).lower().startswith("https://")
    except UrlRefusedError as error:
        assert str(error)


@pytest.mark.parametrize(
    "host",
    ["a", "a.b", "a.b.", "A-B_c.example", "sandbox--api.packagex.io", "1.2.3.4", "[2001:db8::1]", "x" * 63],
)
def test_hosts_that_can_be_looked_up_are_taken(host: str) -> None:
    """Names with labels of up to 63 characters, and addresses."""
    assert parse_url(f"https://{host}:8443/a") is not None


@pytest.mark.parametrize(
    "host",
    ["a..b", ".a", "x" * 64, "a%41", "1.2.3", "1.2.3.4.5", "256.1.1.1", "0x7f.1", "[v1.x]", "a,b"],
)
def test_hosts_that_cannot_be_looked_up_are_not_taken(host: str) -> None:
    """Empty and long labels, and numbers that are no address."""
    assert parse_url(f"https://{host}/a") is None


def test_a_proxy_is_kept_with_its_login() -> None:
    """User and password go to the proxy as they are."""
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
def test_a_base_url_is_kept_without_its_last_slash(url: str, kept: str) -> None:
    """A path, a port and a loopback host are fine."""
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
def test_a_base_url_that_cannot_be_used_says_what_can(url: str) -> None:
    """The hint is there, what may be secret is not."""
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
def test_trap_07_a_redirect_leads_exactly_where_it_says(location: str, target: str) -> None:
    """No escape is touched."""
    assert redirect_target("https://storage.example/a/b?old=1", location) == target
