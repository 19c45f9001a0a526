"""Requests to services of AWS."""

from __future__ import annotations

import urllib.error

import pytest

from packagex_async._bucket_sync.aws_http import describe, send
from tests.unit.bucket_sync.aws_server import aws_server


def test_requests() -> None:
    """Method, target and headers arrive; the content of the response is returned."""
    with aws_server({"PUT /a": "é"}) as server:
        assert send("PUT", f"{server.url}/a?b=%2F", {"X-Key": "1"}) == "é"
    ((request, headers),) = server.requests
    assert (request, headers["x-key"]) == ("PUT /a?b=%2F", "1")


def test_redirects_are_refused() -> None:
    """The headers, which contain a signature, are sent to no other host."""
    with aws_server({}) as other, aws_server({"GET /a": f"{other.url}/b"}) as server:
        with pytest.raises(urllib.error.HTTPError) as caught:
            send("GET", f"{server.url}/a", {"Authorization": "signature"})
        assert describe(caught.value) == "302"
        assert other.requests == []


def test_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A local service is reached without a proxy."""
    with aws_server({"GET /a": "direct"}) as server, aws_server({}) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        assert send("GET", f"{server.url}/a", is_local=True) == "direct"
        with pytest.raises(urllib.error.HTTPError):
            send("GET", f"{server.url}/a")
        assert len(proxy.requests) == 1


def test_descriptions() -> None:
    """An error is described by its kind, without its text."""
    assert describe(ValueError("s3cr3t")) == "ValueError"
    with pytest.raises(ValueError, match="http"):
        send("GET", "file:///etc/passwd")
