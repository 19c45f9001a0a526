"""Bar charts of times in one SVG; shorter is better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from xml.sax.saxutils import escape

Bars = Mapping[str, Sequence[float]]
"""The times of each contender, as ratios to one of them."""

_WIDTH, _LEFT, _RIGHT = 600, 186, 146
_BAR, _STEP, _HEAD = 16, 24, 52
_OURS, _THEIRS, _INK = "#2a6f97", "#aab4bf", "#1f2933"
_NAMES = {
    "ours": "packagex-async",
    "ours, uvloop": "packagex-async, uvloop",
    "naive": "aiohttp + aiofiles",
}
"""Labels of contenders that are not programs with a name."""

# The white background makes the chart legible on light and on dark pages.
_FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"
     role="img" aria-label="{label}" font-size="14" fill="{ink}"
     font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif">
<rect x="0.5" y="0.5" width="{inner_width}" height="{inner_height}" rx="10" fill="#fff" stroke="#e1e5ea"/>
{body}
</svg>
"""


def svg(groups: Mapping[str, Bars]) -> str:
    """Return an SVG with one group of bars for each title, the fastest contender first."""
    parts: list[str] = []
    top = 0
    for title, bars in groups.items():
        parts += _group(title, bars, top)
        top += _HEAD + _STEP * len(bars)
    height = top + _BAR
    return _FRAME.format(
        width=_WIDTH,
        height=height,
        inner_width=_WIDTH - 1,
        inner_height=height - 1,
        label="Download times of each program as ratios to curl; shorter is better",
        ink=_INK,
        body="\n".join(parts),
    )


def _group(title: str, bars: Bars, top: int) -> Iterator[str]:
    yield f'<text x="14" y="{top + 34}" font-weight="600">{escape(title)}</text>'
    scale = (_WIDTH - _LEFT - _RIGHT) / max(max(values) for values in bars.values())
    ranked = sorted(bars.items(), key=lambda bar: median(bar[1]))
    for index, (name, values) in enumerate(ranked):
        yield from _bar(name, values, top + _HEAD + _STEP * index, scale)


def _bar(name: str, values: Sequence[float], y: int, scale: float) -> Iterator[str]:
    low, middle, high = min(values), median(values), max(values)
    baseline, center = y + _BAR - 3, y + _BAR / 2
    color = _OURS if name.startswith("ours") else _THEIRS
    label = escape(_NAMES.get(name, name))
    yield f'<text x="{_LEFT - 8}" y="{baseline}" text-anchor="end">{label}</text>'
    yield f'<rect x="{_LEFT}" y="{y}" width="{middle * scale:.1f}" height="{_BAR}" fill="{color}"/>'
    ends = f'x1="{_LEFT + low * scale:.1f}" x2="{_LEFT + high * scale:.1f}"'
    yield f'<line {ends} y1="{center}" y2="{center}" stroke="{_INK}"/>'
    figure = f"{middle:.3g} ({low:.3g}\N{EN DASH}{high:.3g})"
    yield f'<text x="{_LEFT + high * scale + 6:.1f}" y="{baseline}">{figure}</text>'
