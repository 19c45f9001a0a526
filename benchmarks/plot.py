"""The plot: times as bars, shorter is better, in an SVG written by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from xml.sax.saxutils import escape

Bars = Mapping[str, Sequence[float]]
"""The times of each contender, as ratios to one of them."""

_WIDTH, _LEFT, _RIGHT = 720, 150, 150
_BAR, _STEP, _HEAD = 14, 20, 46
_OURS, _THEIRS, _INK = "#2a6f97", "#c9c9c9", "#222"

_FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{label}"
     font-family="sans-serif" font-size="12" fill="{ink}">
<rect width="100%" height="100%" fill="#fff"/>
{body}
</svg>
"""


def svg(groups: Mapping[str, Bars]) -> str:
    """One group of bars below the other, each under its title, fastest first."""
    parts: list[str] = []
    top = 0
    for title, bars in groups.items():
        parts += _group(title, bars, top)
        top += _HEAD + _STEP * len(bars)
    label = "Times of every contender as ratios to curl; shorter is better"
    return _FRAME.format(width=_WIDTH, height=top + _BAR, label=label, ink=_INK, body="\n".join(parts))


def _group(title: str, bars: Bars, top: int) -> Iterator[str]:
    yield f'<text x="10" y="{top + 30}" font-weight="bold">{escape(title)}</text>'
    scale = (_WIDTH - _LEFT - _RIGHT) / max(max(values) for values in bars.values())
    ranked = sorted(bars.items(), key=lambda bar: median(bar[1]))
    for place, (name, values) in enumerate(ranked):
        yield from _bar(name, values, top + _HEAD + _STEP * place, scale)


def _bar(name: str, values: Sequence[float], y: int, scale: float) -> Iterator[str]:
    low, middle, high = min(values), median(values), max(values)
    text, line = y + _BAR - 3, y + _BAR / 2
    color = _OURS if name.startswith("ours") else _THEIRS
    yield f'<text x="{_LEFT - 8}" y="{text}" text-anchor="end">{escape(name)}</text>'
    yield f'<rect x="{_LEFT}" y="{y}" width="{middle * scale:.1f}" height="{_BAR}" fill="{color}"/>'
    ends = f'x1="{_LEFT + low * scale:.1f}" x2="{_LEFT + high * scale:.1f}"'
    yield f'<line {ends} y1="{line}" y2="{line}" stroke="{_INK}"/>'
    figure = f"{middle:.3g} ({low:.3g}\N{EN DASH}{high:.3g})"
    yield f'<text x="{_LEFT + high * scale + 6:.1f}" y="{text}">{figure}</text>'
