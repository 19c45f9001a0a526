"""A response as a value."""

from __future__ import annotations

import attrs

from packagex_async.testing.server.reply import Reply


def test_regular_response_declares_its_length() -> None:
    """The length is that of the body."""
    reply = Reply.of(200, b"abc", {"A": "1"})
    assert reply.content_length == 3
    assert reply.headers == {"A": "1"}


def test_headers_are_set_and_removed_in_a_copy() -> None:
    """Names are case-insensitive; `None` removes a header."""
    reply = Reply.of(200, headers={"A": "1", "B": "2"})
    assert reply.with_headers({"a": "3", "b": None, "C": None}).headers == {"a": "3"}
    assert reply.headers == {"A": "1", "B": "2"}


def test_chunks() -> None:
    """An empty body is one empty chunk."""
    reply = attrs.evolve(Reply.of(200, b"abcde"), chunk_size=2)
    assert [bytes(chunk) for chunk in reply.chunks()] == [b"ab", b"cd", b"e"]
    assert [bytes(chunk) for chunk in Reply.of(200).chunks()] == [b""]
