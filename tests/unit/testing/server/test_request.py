"""A request that the emulator received."""

from __future__ import annotations

from multidict import CIMultiDict

from packagex_async.testing import RecordedRequest

REQUEST = RecordedRequest(
    host="storage",
    method="GET",
    target="/a%20b?x=1&y=&x=%2F&sig=SECRET",
    headers=CIMultiDict({"Range": "bytes=0-", "Cookie": "SECRET"}),
    at=0.0,
)


def test_path_and_query() -> None:
    """The path is not decoded. The last value of a repeated parameter counts."""
    assert REQUEST.path == "/a%20b"
    assert REQUEST.query == {"x": "/", "y": "", "sig": "SECRET"}


def test_repr_contains_no_secret() -> None:
    """It shows the path, but no query and no headers."""
    assert "/a%20b" in repr(REQUEST)
    assert "SECRET" not in repr(REQUEST)


def test_headers_are_replaced_in_a_copy() -> None:
    """Names are case-insensitive."""
    assert REQUEST.without_headers("range").headers == {"Cookie": "SECRET"}
    assert REQUEST.with_headers({"Range": "bytes=1-"}).headers["range"] == "bytes=1-"
    assert REQUEST.headers["range"] == "bytes=0-"
