"""Validation of URLs. An accepted URL is sent exactly as it is written."""

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

# Compiled at their first use, to keep the import fast.
_VALID_TEXT = r"(?=[!-~]+\Z)(?P<origin>[^/?#]*(?://[^/?#]*)?)"
_NAME = r"(?=.{1,253}\.?\Z)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?\Z"
_NUMBER = r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?\Z"
"""A host whose last label is a number, which resolvers interpret as an IPv4 address."""


class UrlRefusedError(ValueError):
    """A URL may not be requested. The message is the reason."""


@attrs.frozen(eq=False, repr=False)
class UrlPolicy:
    """The rules for URLs of artifacts: only https, and a loopback host only if the API is on one.

    Args:
        allow_loopback: Whether loopback hosts are allowed.
        allow_http: Whether http is allowed for loopback hosts.
    """

    allow_loopback: bool = False
    allow_http: bool = False

    @classmethod
    def for_base_url(cls, base_url: str) -> UrlPolicy:
        """Return the policy of a client of the API at `base_url`."""
        base = urlsplit(base_url)
        allow_loopback = is_loopback(base.hostname or "")
        return cls(allow_loopback=allow_loopback, allow_http=allow_loopback and base.scheme == "http")

    def check(self, text: str) -> URL:
        """Return the URL to request, exactly as it is written.

        Raises:
            UrlRefusedError: The URL may not be requested.
        """
        # The check of scheme, host and port is cached: most URLs have the same ones.
        if reason := _refusal(_origin(text), self.allow_loopback, self.allow_http):
            raise UrlRefusedError(reason)
        return URL(text, encoded=True)


def parse_url(text: object) -> URL | None:
    """Return an http or https URL that can be sent as it is written, or `None` for any other value.

    The host is a valid name or address, so that no later use of the URL raises an error.
    """
    if not isinstance(text, str) or not _is_usable_origin(_origin(text)):
        return None
    return URL(text, encoded=True)


def check_base_url(text: str) -> str:
    """Return the base URL of the API without a trailing slash.

    Raises:
        ConfigurationError: It is not an https URL (or http with a loopback host), or has a query, a fragment
            or a user.
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
        ConfigurationError: It is not a valid http or https URL.
    """
    url = parse_url(text)
    if url is None or not _is_usable_login(url):
        # The message does not contain the URL: the password in it cannot be located reliably.
        raise ConfigurationError(
            "proxy cannot be used: use http://host[:port] or https://host[:port], "
            "with a user and a password before the host if the proxy needs them"
        )
    return url


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine, in any notation."""
    host = host.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _is_legacy_loopback(host)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def redirect_target(url: str, location: str) -> str:
    """Return the target of a redirect from `url`, with `location` exactly as it is written."""
    try:
        return urljoin(url, location)
    except ValueError:
        # The malformed URL is refused later.
        return location


def _is_legacy_loopback(host: str) -> bool:
    # Resolvers accept legacy notations such as 127.1, 0x7f.1 and 2130706433.
    try:
        packed = socket.inet_aton(host)
    except (OSError, ValueError):
        return False
    return packed[0] in (0, 127)


def _origin(text: str) -> str:
    """Return the part of a URL before its path, or an empty string if the URL has invalid characters."""
    match = re.match(_VALID_TEXT, text)
    return match["origin"] if match else ""


@lru_cache(maxsize=256)
def _refusal(origin: str, allow_loopback: bool, allow_http: bool) -> str | None:
    """Return why URLs with this scheme, host and port may not be requested, or `None` if they may."""
    url = parse_url(origin)
    if url is None:
        return "it is not a valid http or https URL"
    if "@" in url.raw_authority:
        return "it contains a user name"
    loopback = is_loopback(url.raw_host or "")
    if loopback and not allow_loopback:
        return "it names a host on this machine"
    if url.scheme == "http" and not (loopback and allow_http):
        return "it is not https"
    return None


@lru_cache(maxsize=256)
def _is_usable_origin(text: str) -> bool:
    """Return whether scheme, host and port are valid, and two parsers agree on them."""
    try:
        split, url = urlsplit(text), URL(text, encoded=True)
        is_consistent = (split.scheme, split.hostname, split.port) == (
            url.scheme,
            (url.raw_host or "").lower(),
            url.explicit_port,
        )
    except (ValueError, IndexError):
        # yarl raises an IndexError for `https://[]@`.
        return False
    is_usable = is_consistent and split.scheme in ("http", "https") and split.port != 0
    return is_usable and _is_usable_host(split.hostname or "", bracketed="[" in text)


def _is_usable_host(host: str, *, bracketed: bool) -> bool:
    if bracketed or re.match(_NUMBER, host):
        return _is_address(host)
    return re.match(_NAME, host) is not None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    # A zone is not allowed in the IPv6 address of a URL.
    return "%" not in host


def _is_usable_login(url: URL) -> bool:
    """Return whether user and password can be sent to a proxy: Latin-1, without a colon in the user."""
    try:
        f"{url.user or ''}{url.password or ''}".encode("latin-1")
    except UnicodeEncodeError:
        return False
    return ":" not in (url.user or "")
