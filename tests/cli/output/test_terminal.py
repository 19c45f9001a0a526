"""The properties of the terminal."""

from __future__ import annotations

import io

import pytest

from packagex_async.cli.output.terminal import ellipsis_for, style_for, terminal_width
from tests.cli.support import Terminal


@pytest.mark.parametrize(
    ("variables", "bold", "green"),
    [
        ({}, "\x1b[1mx\x1b[0m", "\x1b[32mx\x1b[0m"),
        ({"NO_COLOR": "1"}, "\x1b[1mx\x1b[0m", "x"),
        ({"TERM": "dumb"}, "x", "x"),
    ],
)
def test_styles(variables: dict[str, str], bold: str, green: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR disables colours, and TERM=dumb disables all styles."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    style = style_for(Terminal())
    assert (style("x", "bold"), style("x", "green")) == (bold, green)


def test_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """COLUMNS is respected."""
    monkeypatch.setenv("COLUMNS", "93")
    assert terminal_width() == 93


def test_ellipsis_is_encodable() -> None:
    """It is three periods on a stream that has no ellipsis."""
    assert ellipsis_for(io.StringIO()) == "…"
    assert ellipsis_for(io.TextIOWrapper(io.BytesIO(), encoding="ascii")) == "..."
