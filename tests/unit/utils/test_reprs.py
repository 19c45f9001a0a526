"""The repr of a record is short, safe and complete."""

from __future__ import annotations

import enum

import attrs

from packagex_async._utils.reprs import concise_repr


class Color(enum.Enum):
    RED = "red"


@attrs.frozen(kw_only=True, repr=False)
class Record:
    name: str
    note: str | None = None
    size: int = 0
    color: Color | None = None
    secret: str = attrs.field(default="", repr=False)
    items: tuple[int, ...] = attrs.field(default=(), repr=lambda items: f"<{len(items)} items>")

    __repr__ = concise_repr


def test_fields_with_their_default_are_left_out() -> None:
    """Required fields are always shown."""
    assert repr(Record(name="a")) == "Record(name='a')"
    assert repr(Record(name="a", note="", size=7)) == "Record(name='a', note='', size=7)"


def test_each_field_uses_its_own_repr() -> None:
    """Enums have their own. A field may have a function, or none at all."""
    record = Record(name="a", color=Color.RED, secret="hidden", items=(1, 2))
    assert repr(record) == "Record(name='a', color=<Color.RED: 'red'>, items=<2 items>)"


def test_texts_are_sanitized() -> None:
    """They may come from a server."""
    assert repr(Record(name="https://h.example/a?sig=1\n")) == "Record(name='https://h.example/a?[redacted]')"
    assert repr(Record(name="a\x1b")) == r"Record(name='a\\x1b')"
    assert len(repr(Record(name="x" * 1000))) < 250
