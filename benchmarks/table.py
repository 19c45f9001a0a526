"""The table of results in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

import attrs

_HEAD = "| download | measure | measured | limit | goal |\n|---|---|---:|---:|---:|"


@attrs.frozen
class Row:
    """One measure of one workload; less is better.

    Attributes:
        workload: The name of the workload.
        measure: The quantity, and the program that it is compared with.
        values: One figure for each round; empty if it could not be measured on this machine.
        limit: The greatest accepted median, or `None`.
        goal: The median that we aim for, or `None`.
        unit: The unit of the figures; empty for ratios.
    """

    workload: str
    measure: str
    values: Sequence[float]
    limit: float | None = None
    goal: float | None = None
    unit: str = ""

    @property
    def missed(self) -> bool:
        """Whether the median exceeds the limit, or nothing was measured."""
        return self.limit is not None and not (self.values and median(self.values) <= self.limit)

    @property
    def measured(self) -> str:
        """The median with minimum and maximum, marked if it exceeds the limit."""
        if not self.values:
            return "not measured"
        low, middle, high = (
            _figure(value) for value in (min(self.values), median(self.values), max(self.values))
        )
        return f"{middle} ({low}–{high}){self.unit}" + (" **missed**" if self.missed else "")  # noqa: RUF001

    def __str__(self) -> str:
        cells = [
            self.workload,
            self.measure,
            self.measured,
            self._bound(self.limit),
            self._bound(self.goal),
        ]
        return f"| {' | '.join(cells)} |"

    def _bound(self, bound: float | None) -> str:
        return "" if bound is None else f"≤ {bound:g}{self.unit}"


def markdown(rows: Iterable[Row], notes: Iterable[str]) -> str:
    """Return the table in Markdown, followed by the notes."""
    return "\n".join([_HEAD, *map(str, rows), "", *(f"- {note}" for note in notes)]) + "\n"


def _figure(value: float) -> str:
    return f"{value:.3g}"
