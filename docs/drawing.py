"""SVG elements of the pictures, on a white card that is legible on light and dark pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from xml.sax.saxutils import escape

Point = tuple[float, float]

INK, PALE, LINE = "#1f2933", "#5f6c7b", "#9aa5b1"
BLUE, GREEN, AMBER, RED = "#2a6f97", "#2f7d4f", "#b7791f", "#b23a48"
MONO_WIDTH = 0.602
"""The width of a monospaced character, relative to the font size."""

_FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}"
     viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="title desc" fill="{ink}" font-size="12"
     font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif">
<title id="title">{title}</title>
<desc id="desc">{desc}</desc>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0.5 8 4 0 7.5z" fill="{line}"/></marker></defs>
<rect x="0.5" y="0.5" width="{inner_width:g}" height="{inner_height:g}" rx="10" fill="#fff" stroke="#e1e5ea"/>
{body}
</svg>
"""
_MONO = "font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\""


def picture(width: float, height: float, title: str, desc: str, parts: Iterable[str]) -> str:
    """Return the SVG file; `desc` describes it for screen readers."""
    return _FRAME.format(
        width=width,
        height=height,
        inner_width=width - 1,
        inner_height=height - 1,
        title=escape(title),
        desc=escape(desc),
        ink=INK,
        line=LINE,
        body="\n".join(parts),
    )


def words(
    at: Point, text: str, *, color: str = INK, size: float = 12, anchor: str = "start",
    bold: bool = False, mono: bool = False,
) -> str:  # fmt: skip
    """Return a line of text; `at` is on its baseline."""
    weight = ' font-weight="600"' if bold else ""
    family = f" {_MONO}" if mono else ""
    place = f'x="{at[0]:g}" y="{at[1]:g}" text-anchor="{anchor}"'
    return f'<text {place} font-size="{size:g}" fill="{color}"{weight}{family}>{escape(text)}</text>'


def box(at: Point, width: float, height: float, *, fill: str = "#fff", edge: str = LINE) -> str:
    """Return a box with round corners; `at` is its upper left corner."""
    place = f'x="{at[0]:g}" y="{at[1]:g}" width="{width:g}" height="{height:g}"'
    return f'<rect {place} rx="6" fill="{fill}" stroke="{edge}"/>'


def arrow(points: Sequence[Point], *, radius: float = 8) -> str:
    """Return an arrow through `points` with round corners."""
    path = f"M{points[0][0]:g} {points[0][1]:g}"
    for corner, onward in pairwise(points[1:]):
        before = points[points.index(corner) - 1]
        path += (
            f" L{_near(corner, before, radius)} Q{corner[0]:g} {corner[1]:g} {_near(corner, onward, radius)}"
        )
    path += f" L{points[-1][0]:g} {points[-1][1]:g}"
    return f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.4" marker-end="url(#head)"/>'


def _near(corner: Point, other: Point, radius: float) -> str:
    """Return the point `radius` before `corner`, coming from `other` on a horizontal or vertical line."""
    x, y = (
        mine + (0 if mine == theirs else radius if theirs > mine else -radius)
        for mine, theirs in zip(corner, other, strict=True)
    )
    return f"{x:g} {y:g}"
