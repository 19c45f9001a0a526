"""Which addresses may be asked for, and how they stay exactly as they were given."""

from __future__ import annotations

import ipaddress
import re
import socket
from functools import lru_cache
from urllib.parse import SplitResult, urljoin, urlsplit

import attrs

from packagex_async._redact import redact
from packagex_async.errors import ConfigurationError

_SENDABLE = re.compile(r"(?=[!-~]+\Z)(?P<origin>[^/?#]*(?://[^/?#]*)?)")


@attrs.frozen(eq=False, repr=False)
class AddressRules:
    """Where artifacts may be fetched from: https only, and no loopback host unless the API itself is one.

    Args:
        loopback: Whether loopback hosts are allowed.
        plain: Whether those loopback hosts may be asked over plain http.
    """

    loopback: bool = False
    plain: bool = False

    @classmethod
    def beside(cls, base_url: str) -> AddressRules:
        """The rules for artifacts of the API at `base_url`."""
        address = urlsplit(base_url)
        loopback = is_loopback(address.hostname or "")
        return cls(loopback=loopback, plain=loopback and address.scheme == "http")

    def refusal(self, url: str) -> str | None:
        """Why `url` may not be fetched, or `None` when it may."""
        address = _split_origin(url)
        if address is None:
            return "it is not a URL that can be sent as it stands"
        if address.username is not None:
            return "it carries a user name"
        loopback = is_loopback(address.hostname or "")
        if loopback and not self.loopback:
            return "it names a host on this machine"
        if address.scheme == "http" and not (loopback and self.plain):
            return "it is not https"
        return None


def check_base_url(text: str) -> str:
    """The base URL of the API, without a slash at its end.

    Raises:
        ConfigurationError: It is not an https URL (http for a loopback host), or has more than a path.
    """
    hint = "use https://host[:port][/path]; plain http only for a loopback host such as the emulator's"
    address = _split(text)
    if address is None or (address.scheme == "http" and not is_loopback(address.hostname or "")):
        raise ConfigurationError(f"base_url {redact(text)!r} cannot be used: {hint}")
    if address.query or address.fragment or address.username is not None:
        raise ConfigurationError(f"base_url must not have a query, fragment or user: {hint}")
    return text.rstrip("/")


def check_proxy(text: str) -> str:
    """The URL of a proxy as it was given.

    Raises:
        ConfigurationError: It is not an http or https URL that names a host.
    """
    if _split(text) is None:
        # It may hold a password, wherever that stands in what cannot be read.
        raise ConfigurationError(
            "proxy cannot be used: use http://host[:port] or https://host[:port], "
            "with a user and a password before the host if the proxy needs them"
        )
    return text


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


def _split(text: str) -> SplitResult | None:
    """The parts of an http or https URL that names a host, or `None` for anything else."""
    return _parts(text) if _sendable(text) else None


def _split_origin(text: str) -> SplitResult | None:
    """The same without what follows host and port: thousands of URLs have them in common."""
    match = _sendable(text)
    return _origin(match["origin"]) if match else None


@lru_cache(maxsize=256)
def _origin(text: str) -> SplitResult | None:
    return _parts(text)


def _sendable(text: str) -> re.Match[str] | None:
    return _SENDABLE.match(text) if isinstance(text, str) else None


def _parts(text: str) -> SplitResult | None:
    try:
        address = urlsplit(text)
        usable = address.scheme in ("http", "https") and address.hostname and address.port != 0
    except ValueError:
        return None
    return address if usable else None
