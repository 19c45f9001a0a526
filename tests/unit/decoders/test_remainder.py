"""The rest of the data is decoded again when its size has doubled."""

from __future__ import annotations

from packagex_async._decoders.remainder import Remainder


def test_pieces_are_joined() -> None:
    """`take` returns the pieces in their order, and removes them."""
    remainder = Remainder("".join)
    remainder.add("a")
    remainder.add("bc")
    assert (remainder.size, remainder.take(), remainder.size, remainder.take()) == (3, "abc", 0, "")


def test_next_attempt_after_nothing_was_decoded() -> None:
    """The next attempt is due when the size of the data has doubled."""
    remainder = Remainder(b"".join)
    remainder.put_back(b"abc", decoded=False)
    remainder.add(b"de")
    assert not remainder.is_due()
    remainder.add(b"f")
    assert remainder.is_due()


def test_next_attempt_after_data_was_decoded() -> None:
    """The next attempt is due at once."""
    remainder = Remainder(b"".join)
    remainder.put_back(b"", decoded=False)
    assert remainder.is_due()
    remainder.put_back(b"abc", decoded=True)
    assert (remainder.is_due(), remainder.take()) == (True, b"abc")
