"""HTTP requests to services of AWS. Blocking calls."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT = 15
_MAX_RESPONSE = 8 * 1024 * 1024


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Refuses redirects, which would send the signature and the token to another host."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Return no new request."""


def send(method: str, url: str, headers: Mapping[str, str] | None = None, *, is_local: bool = False) -> str:
    """Send a request without a body; return the content of the response.

    Args:
        method: The HTTP method.
        url: The URL.
        headers: The headers.
        is_local: The host belongs to this machine or container, so that no proxy is used.

    Raises:
        OSError: There is no response, or its status is not 2xx.
        ValueError: It is not an http URL.
        HTTPException: The response is malformed.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("not an http URL")
    request = urllib.request.Request(url, method=method, headers=dict(headers or {}))  # noqa: S310
    handlers: list[Any] = [_NoRedirects, urllib.request.ProxyHandler({})] if is_local else [_NoRedirects]
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_TIMEOUT) as response:
            return str(response.read(_MAX_RESPONSE).decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        error.close()
        raise


def describe(error: BaseException) -> str:
    """Return the status of the response, or the kind of the error. Its text may contain credentials."""
    return str(error.code) if isinstance(error, urllib.error.HTTPError) else type(error).__name__
