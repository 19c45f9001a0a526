"""The layout of the rows of a live display."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from packagex_async.cli.display.live.rows import MARGIN, DisplayRow, layout

TOTAL = DisplayRow(
    label="total",
    fraction=0.5,
    amount="123.4 MiB/~246.8 MiB",
    details=("1:02:03 left", "12.3 MiB/s"),
)
ARTIFACT = DisplayRow(
    label="exp_2sFJK0q8Zk3PxyV7Lw",
    suffix=" csv_sanitized",
    fraction=0.25,
    amount="1.0 MiB/4.0 MiB",
    details=("retry in 12 s",),
)
MESSAGE = DisplayRow(label="waiting for 3 exports")


def lines(*rows: DisplayRow, columns: int, is_ascii: bool = False) -> list[str]:
    """Return the lines as text."""
    return [line.plain for line in layout(rows, columns, is_ascii=is_ascii)]


def test_wide_terminal_shows_everything() -> None:
    """The columns are aligned."""
    assert lines(TOTAL, ARTIFACT, MESSAGE, columns=140) == [
        "total                                 " + "━" * 20 + "─" * 20
        + "  123.4 MiB/~246.8 MiB  1:02:03 left, 12.3 MiB/s",
        "exp_2sFJK0q8Zk3PxyV7Lw csv_sanitized  " + "━" * 10 + "─" * 30
        + "  1.0 MiB/4.0 MiB       retry in 12 s",
        "waiting for 3 exports",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "has_bar", "has_details", "label"),
    [
        (120, True, True, "exp_2sFJK0q8Zk3PxyV7Lw csv_sanitized"),
        (100, True, True, "exp_2sFJK0q8Zk3PxyV7Lw csv_sanitized"),
        (80, True, True, "exp… csv_sanitized"),
        (70, False, True, "exp_2sFJ… csv_sanitized"),
        (60, False, False, "exp_2sFJK0q8Z… csv_sanitized"),
        (50, False, False, "exp… csv_sanitized"),
    ],
)
def test_columns_are_left_out_on_a_narrow_terminal(
    columns: int, has_bar: bool, has_details: bool, label: str
) -> None:
    """The amount is always shown, with a bar or a percentage."""
    total, artifact = lines(TOTAL, ARTIFACT, columns=columns)
    assert ("━" in total, "1:02:03 left" in total) == (has_bar, has_details)
    assert (" 50%" in total) is not has_bar
    assert "123.4 MiB/~246.8 MiB" in total
    assert artifact.startswith(f"{label} ")
    assert "1.0 MiB/4.0 MiB" in artifact


def test_terminal_without_unicode() -> None:
    """The bar and the ellipsis are ASCII."""
    total, artifact = lines(TOTAL, ARTIFACT, columns=110, is_ascii=True)
    assert total.isascii()
    assert "##--" in total
    assert artifact.isascii()
    (message,) = lines(DisplayRow(label="x" * 100), columns=60, is_ascii=True)
    assert message == "x" * (60 - MARGIN - 3) + "..."


def test_end_of_a_message_is_never_cut() -> None:
    """It is the delay until the next attempt."""
    (message,) = lines(DisplayRow(label="x" * 100, suffix="; next attempt in 2 s"), columns=60)
    assert message == "x" * (60 - MARGIN - 22) + "…; next attempt in 2 s"


def test_unknown_fraction() -> None:
    """The bar is empty, and there is no percentage."""
    row = DisplayRow(label="total", amount="1.0 MiB")
    assert lines(row, columns=80) == [f"total  {'─' * 40}  1.0 MiB"]
    assert lines(row, columns=40) == ["total        1.0 MiB"]


@given(
    rows=st.lists(
        st.builds(
            DisplayRow,
            label=st.text(st.characters(categories=["L", "N", "P"]), max_size=60),
            suffix=st.sampled_from(["", " csv", " csv_sanitized"]),
            fraction=st.none() | st.floats(0, 1),
            amount=st.sampled_from(["", "1 B", "1023.9 MiB/~1023.9 MiB"]),
            details=st.sampled_from([(), ("retry",), ("100:00:00 left", "1023.9 MiB/s")]),
        ),
        max_size=5,
    ),
    columns=st.integers(1, 200),
)
def test_each_row_is_one_line(rows: list[DisplayRow], columns: int) -> None:
    """It leaves a margin for `^C` on every terminal."""
    shown = lines(*rows, columns=columns)
    assert len(shown) == len(rows)
    for line in shown:
        assert "\n" not in line
        assert cell_len(line) <= max(columns - MARGIN, 1)


def test_colors_are_legible_on_every_background() -> None:
    """Only the bar has a color. The rest has the color of the terminal."""
    line = layout([TOTAL], 100)[0]
    assert {str(span.style) for span in line.spans} == {"magenta", "default"}
