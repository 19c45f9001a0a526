"""Text in cells of the terminal."""

from __future__ import annotations

import pytest

from packagex_async.cli.output.cell_text import cell_width, pad, shorten


@pytest.mark.parametrize(
    ("text", "width", "shortened"),
    [
        ("name", 4, "name"),
        ("names", 4, "nam…"),
        ("顧客リスト", 10, "顧客リスト"),
        ("顧客リスト", 9, "顧客リス…"),
        ("顧客リスト", 8, "顧客リ…"),
        ("e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
        ("names", 1, "…"),
        ("names", 0, ""),
    ],
)
def test_shortened_text_fits(text: str, width: int, shortened: str) -> None:
    """Wide characters take two cells, and combining characters take none."""
    assert shorten(text, width, ellipsis="…") == shortened
    assert cell_width(shortened) <= width


def test_end_of_paths_is_kept() -> None:
    """No combining character follows the ellipsis."""
    assert shorten("exports/exp_1.csv", 10, ellipsis="…", keep_end=True) == "…exp_1.csv"
    assert shorten("abe\u0301cd", 3, ellipsis="…", keep_end=True) == "…cd"
    assert shorten("exports", 5, ellipsis="...", keep_end=True) == "...ts"


def test_padding() -> None:
    """The width is in cells. A longer text is unchanged."""
    assert pad("顧客", 6) == "顧客  "
    assert pad("7", 3, right=True) == "  7"
    assert pad("long", 2) == "long"
