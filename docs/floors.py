"""The floors of the house as a picture, from the table of them: `python docs/floors.py` draws it anew."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby
from pathlib import Path

from drawing import BLUE, INK, LINE, MONO_WIDTH, PALE, arrow, box, picture, words

import packagex_async

PAGE = Path(__file__).parent / "explanation" / "architecture.md"
PICTURE = Path(__file__).parent / "_static" / "floors.svg"

_WIDTH, _LEFT, _MARGIN = 760, 92, 18
_SIZE, _CHIP, _GAP = 11.5, 24, 6
_PAD = 9
"""Pixels between the edge of a floor, or of a chip, and what is in it."""

Floor = tuple[int, list[str]]


def floors(page: str) -> list[Floor]:
    """The floors of the table, top first, each with its files and folders."""
    rows = re.findall(r"^\| (-?\d+) \| ([^|]+) \|", page, re.MULTILINE)
    rooms = [(int(floor), name) for floor, cell in rows for name in re.findall(r"`(\w+(?:\.py|/))`", cell)]
    rooms.sort(key=lambda room: -room[0])
    return [(floor, [name for _, name in group]) for floor, group in groupby(rooms, key=lambda room: room[0])]


def doors(page: str) -> dict[str, str]:
    """Which file or folder leads outside, and where."""
    return {
        room: where for where, room in re.findall(r"^- The (\w+) is behind `([^`]+)`", page, re.MULTILINE)
    }


@cache
def _homes() -> set[str]:
    """The files and folders that users import from, by way of the package or of its subpackage for tests."""
    public = (getattr(packagex_async, name) for name in packagex_async.__all__)
    modules = {getattr(thing, "__module__", "") for thing in public}
    return {f"{module.rpartition('.')[2]}.py" for module in modules} | {"testing/"}


def _label(name: str, outside: dict[str, str]) -> str:
    return f"{name} → {outside[name]}" if name in outside else name


def _chip_width(label: str) -> float:
    return round(len(label) * _SIZE * MONO_WIDTH + 2 * _PAD)


def _lines(labels: Iterable[str]) -> list[list[str]]:
    """The labels of a floor, as many to a line as there is room for."""
    lines: list[list[str]] = [[]]
    for label in labels:
        room = _WIDTH - _LEFT - _MARGIN - 2 * _PAD
        if sum(_chip_width(other) + _GAP for other in lines[-1]) + _chip_width(label) > room:
            lines.append([])
        lines[-1].append(label)
    return lines


def _chip(label: str, x: float, y: float) -> Iterator[str]:
    public, door, width = label in _homes(), "→" in label, _chip_width(label)
    yield box(
        (x, y), width, _CHIP, fill="#dcebf5" if public else "#fff", edge=BLUE if public or door else LINE
    )
    yield words((x + width / 2, y + 16), label, size=_SIZE, mono=True, bold=door, anchor="middle")


def _floor(number: int, lines: list[list[str]], top: float) -> Iterator[str]:
    height = _height(lines)
    yield box((_LEFT, top), _WIDTH - _LEFT - _MARGIN, height, fill="#f5f7f9", edge="#e1e5ea")
    yield words((_LEFT - 14, top + height / 2 + 5), str(number), size=14, bold=True, anchor="end", color=BLUE)
    for index, line in enumerate(lines):
        x: float = _LEFT + _PAD
        for label in line:
            yield from _chip(label, x, top + _PAD + index * (_CHIP + _GAP))
            x += _chip_width(label) + _GAP


def _height(lines: list[list[str]]) -> float:
    return 2 * _PAD + len(lines) * (_CHIP + _GAP) - _GAP


def _legend(y: float) -> Iterator[str]:
    yield box((_LEFT, y), 16, 12, fill="#dcebf5", edge=BLUE)
    yield words((_LEFT + 22, y + 10.5), "home of public names", color=PALE, size=11)
    yield words((_LEFT + 160, y + 10.5), "→", size=12, bold=True)
    yield words((_LEFT + 176, y + 10.5), "the one door to what lies outside", color=PALE, size=11)


def drawing(page: str) -> str:
    """The picture of the floors that `page` tells of."""
    outside = doors(page)
    parts: list[str] = []
    top = 20.0
    for number, names in floors(page):
        lines = _lines(_label(name, outside) for name in names)
        parts += _floor(number, lines, top)
        top += _height(lines) + _GAP
    middle = top / 2
    parts += [
        arrow([(36, 26), (36, top - 12)]),
        f'<g transform="rotate(-90 26 {middle:g})">',
        words((26, middle), "imports point down", color=INK, size=11, anchor="middle"),
        "</g>",
        *_legend(top + 10),
    ]
    told = "; ".join(f"floor {number}: {', '.join(names)}" for number, names in floors(page))
    return picture(_WIDTH, top + 38, "The floors of packagex_async", f"From the top, {told}.", parts)


if __name__ == "__main__":
    PICTURE.write_text(drawing(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
