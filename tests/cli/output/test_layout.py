"""The layout of tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async.cli.display.exports import COLUMNS
from packagex_async.cli.output.cell_text import cell_width
from packagex_async.cli.output.layout import Column, column_widths, format_blocks, format_table

SHOWN = [column for column in COLUMNS if column.priority is not None]


def plain(text: str, _style: str) -> str:
    """Return `text` without a style."""
    return text


@pytest.mark.parametrize(
    ("width", "names"),
    [
        (60, ["id", "status"]),
        (80, ["id", "status", "resource", "name"]),
        (100, ["id", "status", "resource", "name"]),
        (120, ["id", "status", "resource", "created_at", "name"]),
        (200, ["id", "status", "resource", "count_total", "created_at", "age", "expires_in", "name"]),
    ],
)
def test_columns_of_a_listing(width: int, names: list[str]) -> None:
    """Id and status are complete at every width, the other columns as the terminal gets wider."""
    contents = {
        "id": 26, "status": 10, "resource": 24, "count_total": 11, "created_at": 20, "age": 6,
        "expires_in": 10, "name": 80,
    }  # fmt: skip
    widths = column_widths(SHOWN, [contents[column.name] for column in SHOWN], width)
    shown = {column.name: size for column, size in zip(SHOWN, widths, strict=True) if size is not None}
    assert list(shown) == names or (width == 60 and set(shown) >= set(names))
    assert all(shown[name] == contents[name] for name in shown if name in ("id", "status"))


@given(
    st.lists(st.tuples(st.text(max_size=90), st.text(max_size=90), st.integers(0, 10**12)), max_size=4),
    st.integers(60, 130),
)
def test_each_row_is_one_line(rows: list[tuple[str, str, int]], width: int) -> None:
    """No line is wider than the terminal."""
    columns = [
        Column("id", priority=0, required=True),
        Column("name", priority=1, width=20),
        Column("size", priority=2, right=True),
    ]
    cells = [[ascii(first), ascii(second), str(number)] for first, second, number in rows]
    lines = format_table(columns, cells, width, ellipsis="…", style=plain)
    assert len(lines) == 1 + len(rows)
    assert max(map(cell_width, lines)) <= width


def test_widest_required_column_is_shortened() -> None:
    """The others are complete."""
    columns = [Column("id", priority=0, required=True), Column("status", priority=1, required=True)]
    row = ["i" * 70, "processing"]
    _, line = format_table(columns, [row], 60, ellipsis="…", style=plain)
    assert line == "i" * 47 + "…  processing"


def test_required_column_with_a_width_leaves_room_for_others() -> None:
    """It gets the rest of the line after the less important columns."""
    columns = [
        Column("id", priority=0, required=True),
        Column("error", priority=1, required=True, width=10),
        Column("advice", priority=2),
    ]
    assert column_widths(columns, [5, 50, 8], 40) == [5, 23, 8]
    assert column_widths(columns, [5, 50, 8], 20) == [5, 13, None]


def test_required_columns_are_dropped_if_there_is_no_room() -> None:
    """The least important columns are dropped first."""
    columns = [Column(f"c{number:02}", priority=number, required=True, min_width=6) for number in range(10)]
    widths = column_widths(columns, [30] * 10, 60)
    assert [size is not None for size in widths] == [True] * 7 + [False] * 3
    assert sum(size + 2 for size in widths if size is not None) - 2 == 60


def test_numbers_are_never_shortened() -> None:
    """Part of a number is wrong. The column is dropped instead."""
    columns = [Column("name", priority=0, required=True), Column("size", priority=1, right=True)]
    assert column_widths(columns, [50, 9], 60) == [60 - 10, None] or column_widths(columns, [50, 9], 60) == [
        50,
        None,
    ]
    assert column_widths(columns, [49, 9], 60) == [49, 9]


def test_numbers_are_aligned_and_styles_are_applied() -> None:
    """The style does not change the width."""
    columns = [
        Column("size", priority=0, right=True),
        Column("state", priority=1, styles={"exact": "green"}),
    ]
    lines = format_table(
        columns,
        [["7", "exact"], ["10", "lost"]],
        60,
        ellipsis="…",
        style=lambda text, name: f"<{name}>{text}",
    )
    assert lines == ["<bold>size  <bold>state", "   7  <green>exact", "  10  lost"]


def test_blocks() -> None:
    """One line per field; an empty line separates records."""
    columns = [Column("id"), Column("path", keep_end=True)]
    rows = [["exp_1", "a/long/path.csv"], ["exp_2", "-"]]
    assert format_blocks(columns, rows, 14, ellipsis="…", style=plain) == [
        "id: exp_1", "path: …ath.csv", "", "id: exp_2", "path: -",
    ]  # fmt: skip
    assert format_blocks(columns, rows[:1], None, ellipsis="…", style=plain)[1] == "path: a/long/path.csv"
