"""The table: what was promised, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

import attrs

_HEAD = "| workload | measure | must reach | moonshot | measured |\n|---|---|---:|---:|---:|"


@attrs.frozen
class Row:
    """One measure of one workload; less is better.

    Attributes:
        workload: `W1` to `W8`.
        measure: What was measured, against what.
        values: One figure for each round; none when it could not be measured here.
        must: The most it may be, or `None` where nothing was promised.
        moonshot: The most it would be in our dreams.
        unit: What the figures are; ratios have none.
    """

    workload: str
    measure: str
    values: Sequence[float]
    must: float | None = None
    moonshot: float | None = None
    unit: str = ""

    @property
    def missed(self) -> bool:
        """Whether a promise is not kept."""
        return self.must is not None and not (self.values and median(self.values) <= self.must)

    @property
    def measured(self) -> str:
        """The median with the spread, and a word where the promise is not kept."""
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
            self._bound(self.must),
            self._bound(self.moonshot),
            self.measured,
        ]
        return f"| {' | '.join(cells)} |"

    def _bound(self, bound: float | None) -> str:
        return "" if bound is None else f"≤ {bound:g}{self.unit}"


def markdown(rows: Iterable[Row], notes: Iterable[str]) -> str:
    """The table in Markdown, and what has to be known to read it."""
    return "\n".join([_HEAD, *map(str, rows), "", *(f"- {note}" for note in notes)]) + "\n"


def _figure(value: float) -> str:
    return f"{value:.3g}"
