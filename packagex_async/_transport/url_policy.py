"""Which addresses may be asked for, and how they stay exactly as they were given."""

from __future__ import annotations

import ipaddress
import re
import socket
from functools import lru_cache
from urllib.parse import urljoin, urlsplit

import attrs
from yarl import URL

from packagex_async._utils.redaction import sanitize
from packagex_async.errors import ConfigurationError

_SENDABLE = re.compile(r"(?=[!-~]+\Z)(?P<origin>[^/?#]*(?://[^/?#]*)?)")
_NAME = re.compile(r"(?=.{1,253}\.?\Z)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?\Z")
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?\Z")
"""A host whose last label is a number: systems read it as an IPv4 address, however odd."""


class UrlRefusedError(ValueError):
    """A URL may not be fetched; the text says why."""


@attrs.frozen(eq=False, repr=False)
class UrlPolicy:
    """Where artifacts may be fetched from: https only, and no loopback host unless the API itself is one.

    Args:
        loopback: Whether loopback hosts are allowed.
        plain: Whether those loopback hosts may be asked over plain http.
    """

    loopback: bool = False
    plain: bool = False

    @classmethod
    def beside(cls, base_url: str) -> UrlPolicy:
        """The rules for artifacts of the API at `base_url`."""
        address = urlsplit(base_url)
        loopback = is_loopback(address.hostname or "")
        return cls(loopback=loopback, plain=loopback and address.scheme == "http")

    def permit(self, text: str) -> URL:
        """Return the URL to send, exactly as it is written.

        Raises:
            UrlRefusedError: It may not be fetched.
        """
        url = parse_url(text)
        if url is None:
            raise UrlRefusedError("it is not a URL that can be sent as it stands")
        if "@" in url.raw_authority:
            raise UrlRefusedError("it carries a user name")
        loopback = is_loopback(url.raw_host or "")
        if loopback and not self.loopback:
            raise UrlRefusedError("it names a host on this machine")
        if url.scheme == "http" and not (loopback and self.plain):
            raise UrlRefusedError("it is not https")
        return url


def parse_url(text: object) -> URL | None:
    """Return an http or https URL that can be sent as it is written, or `None` for anything else.

    Nothing that is done with the URL later raises: its host is a name or an address that can be looked up.
    """
    match = _SENDABLE.match(text) if isinstance(text, str) else None
    # Thousands of URLs have scheme, host and port in common.
    return URL(match.string, encoded=True) if match and _is_usable_origin(match["origin"]) else None


def check_base_url(text: str) -> str:
    """Return the base URL of the API, without a slash at its end.

    Raises:
        ConfigurationError: It is not an https URL (http for a loopback host), or has more than a path.
    """
    hint = "use https://host[:port][/path]; plain http only for a loopback host such as the emulator's"
    url = parse_url(text)
    if url is None or (url.scheme == "http" and not is_loopback(url.raw_host or "")):
        raise ConfigurationError(f"base_url {sanitize(text)!r} cannot be used: {hint}")
    if "?" in text or "#" in text or "@" in url.raw_authority:
        raise ConfigurationError(f"base_url must not have a query, fragment or user: {hint}")
    return text.rstrip("/")


def check_proxy(text: str) -> URL:
    """Return the URL of a proxy.

    Raises:
        ConfigurationError: It is not an http or https URL that names a host.
    """
    url = parse_url(text)
    if url is None or not _is_usable_login(url):
        # It may hold a password, wherever that stands in what cannot be read.
        raise ConfigurationError(
            "proxy cannot be used: use http://host[:port] or https://host[:port], "
            "with a user and a password before the host if the proxy needs them"
        )
    return url


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether `host` names this machine, however the address is written."""
    host = host.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _is_odd_loopback(host)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def redirect_target(url: str, location: str) -> str:
    """Where a redirect from `url` leads, as exact as `location` was."""
    try:
        return urljoin(url, location)
    except ValueError:
        # It leads nowhere, and is refused as what it is.
        return location


def _is_odd_loopback(host: str) -> bool:
    # Resolvers still read 127.1, 0x7f.1 and 2130706433 as addresses.
    try:
        packed = socket.inet_aton(host)
    except (OSError, ValueError):
        return False
    return packed[0] in (0, 127)


@lru_cache(maxsize=256)
def _is_usable_origin(text: str) -> bool:
    """Whether a URL's scheme, host and port can be used, and two parsers agree on them."""
    try:
        split, url = urlsplit(text), URL(text, encoded=True)
        agreed = (split.scheme, split.hostname, split.port) == (
            url.scheme,
            (url.raw_host or "").lower(),
            url.explicit_port,
        )
    except ValueError:
        return False
    usable = agreed and split.scheme in ("http", "https") and split.port != 0
    return usable and _is_usable_host(split.hostname or "", bracketed="[" in text)


def _is_usable_host(host: str, *, bracketed: bool) -> bool:
    if bracketed or _NUMBER.match(host):
        return _is_address(host)
    return _NAME.match(host) is not None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    # The zone of an IPv6 address is no concern of a URL.
    return "%" not in host


def _is_usable_login(url: URL) -> bool:
    """Whether user and password can be sent to a proxy: Latin-1, and no colon in the user."""
    try:
        f"{url.user or ''}{url.password or ''}".encode("latin-1")
    except UnicodeEncodeError:
        return False
    return ":" not in (url.user or "")
