"""Rows of a live display, and their layout in the width of a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from rich.cells import cell_len, set_cell_size
from rich.text import Text

MARGIN = 4
"""Columns on the right that stay empty: a terminal shows `^C` there, which must not start another line."""

_NARROW = 60
"""On a terminal with fewer columns, a row has only its label, percentage and amount."""

_MIN_BAR, _MAX_BAR = 8, 40
_PERCENTAGE = 4
_MIN_LABEL = 16
"""Columns of a label that is not cut further in favor of a bar or of details."""

_GAP = 2
_BAR_STYLE = "magenta"
"""Legible on white and on black. All other text has the color of the terminal."""


@attrs.frozen(kw_only=True)
class DisplayRow:
    """A row of a live display.

    Attributes:
        label: The name of the row. A row without amount is a message.
        suffix: The end of the label, which is never cut.
        fraction: The part that is complete, from 0 to 1; `None` if it is unknown.
        amount: The amount that is complete, and the total. Empty for a message.
        details: The remaining time and the speed, or a note. The most important is the first.
    """

    label: str
    suffix: str = ""
    fraction: float | None = None
    amount: str = ""
    details: tuple[str, ...] = ()


def layout(rows: Sequence[DisplayRow], columns: int, *, is_ascii: bool = False) -> list[Text]:
    """Return one line for each row.

    On a narrow terminal, labels are cut first. Then a percentage replaces the bar, and the details are left
    out.

    Args:
        rows: The rows.
        columns: The width of the terminal.
        is_ascii: Whether the terminal shows ASCII only.
    """
    sizes = _fit([row for row in rows if row.amount], columns)
    return [
        sizes.line(row, is_ascii) if row.amount else Text(_label(row, sizes.width, is_ascii), no_wrap=True)
        for row in rows
    ]


def _fit(rows: Sequence[DisplayRow], columns: int) -> _Sizes:
    """Return the widths of the columns: with a bar, with a percentage, and then with fewer details."""
    width = max(columns - MARGIN, 1)
    amounts = max((cell_len(row.amount) for row in rows), default=0)
    natural = max((cell_len(_full_label(row)) for row in rows), default=0)
    all_details = max((cell_len(_join(row.details)) for row in rows), default=0)
    first_details = max((cell_len(_join(row.details[:1])) for row in rows), default=0)
    choices = [(_MIN_BAR, all_details), (_PERCENTAGE, all_details), (_PERCENTAGE, first_details)]
    middle, space = _PERCENTAGE, 0
    for middle, details in [*(choices if columns >= _NARROW else []), (_PERCENTAGE, 0)]:
        space = width - amounts - middle - 2 * _GAP - (details + _GAP if details else 0)
        if space >= min(natural, _MIN_LABEL):
            break
    labels = max(min(natural, space), 1)
    bar = min(space - labels + _MIN_BAR, _MAX_BAR) if middle == _MIN_BAR else 0
    return _Sizes(width=width, labels=labels, bar=bar, amounts=amounts, has_details=columns >= _NARROW)


@attrs.frozen(kw_only=True)
class _Sizes:
    """The widths of the columns. A bar of the width 0 is a percentage."""

    width: int
    labels: int
    bar: int
    amounts: int
    has_details: bool

    def line(self, row: DisplayRow, is_ascii: bool) -> Text:
        """Return the line of a row, with as many of its details as fit."""
        line = Text(set_cell_size(_label(row, self.labels, is_ascii), self.labels))
        line.append(" " * _GAP)
        line.append_text(self._bar(row.fraction, is_ascii) if self.bar else Text(_percentage(row.fraction)))
        line.append(f"{' ' * _GAP}{set_cell_size(row.amount, self.amounts)}")
        for number in range(len(row.details) if self.has_details else 0, 0, -1):
            details = f"{' ' * _GAP}{_join(row.details[:number])}"
            if line.cell_len + cell_len(details) <= self.width:
                line.append(details)
                break
        line.rstrip()
        return _cut(line, self.width, is_ascii)

    def _bar(self, fraction: float | None, is_ascii: bool) -> Text:
        done, rest = ("#", "-") if is_ascii else ("━", "─")
        length = int((fraction or 0) * self.bar)
        return Text(done * length, style=_BAR_STYLE).append(rest * (self.bar - length), style="default")


def _label(row: DisplayRow, width: int, is_ascii: bool) -> str:
    """Return the label and its suffix in at most `width` columns."""
    if cell_len(label := _full_label(row)) <= width:
        return label
    end = f"{'...' if is_ascii else '…'}{row.suffix}"
    return set_cell_size(f"{set_cell_size(row.label, max(width - cell_len(end), 1))}{end}", width)


def _full_label(row: DisplayRow) -> str:
    return f"{row.label}{row.suffix}"


def _percentage(fraction: float | None) -> str:
    return "    " if fraction is None else f"{int(fraction * 100):3}%"


def _join(details: Sequence[str]) -> str:
    return ", ".join(details)


def _cut(line: Text, width: int, is_ascii: bool) -> Text:
    line.no_wrap = True
    line.truncate(width, overflow="crop" if is_ascii else "ellipsis")
    return line
