"""The record of a poll."""

from __future__ import annotations

from packagex_async import Poll


def test_repr_is_short() -> None:
    """Fields without a value are left out."""
    poll = Poll(found=2, retried=0, pending=1)
    assert repr(poll).startswith("Poll(found=2")
    assert poll.error is None
