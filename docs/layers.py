"""Draws the picture of the layers from the table in the architecture page: `python docs/layers.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from drawing import BLUE, INK, LINE, MONO_WIDTH, PALE, arrow, box, picture, words

PAGE = Path(__file__).parent / "explanation" / "architecture.md"
PICTURE = Path(__file__).parent / "_static" / "layers.svg"

_WIDTH, _LEFT, _MARGIN = 760, 92, 18
_SIZE, _ROW, _GAP, _PAD = 11.5, 30, 6, 9


class Row(NamedTuple):
    """One row of the table.

    Attributes:
        layer: The layer, from 0.
        folder: The folder, or "" for modules in the root of the package.
        modules: The modules; each imports only from those to its right.
        purpose: The purpose of the folder or module.
    """

    layer: int
    folder: str
    modules: tuple[str, ...]
    purpose: str


def rows(page: str) -> list[Row]:
    """Return the rows of the table, the highest layer first."""
    cells = re.findall(r"^\| (\d+) \|([^|]*)\|([^|]*)\|([^|]*)\|$", page, re.MULTILINE)
    return [
        Row(int(layer), folder.strip(" `"), tuple(re.findall(r"`(\w+)`", modules)), purpose.strip())
        for layer, folder, modules, purpose in cells
    ]


def _chip(row: Row, x: float, y: float) -> Iterator[str]:
    name = row.folder or f"{row.modules[0]}.py"
    public = not name.startswith("_")
    width = round(len(name) * _SIZE * MONO_WIDTH + 2 * _PAD)
    yield box((x, y), width, 24, fill="#dcebf5" if public else "#fff", edge=BLUE if public else LINE)
    yield words((x + width / 2, y + 16), name, size=_SIZE, mono=True, anchor="middle")
    yield words((x + 128, y + 16), row.purpose.replace("`", ""), size=11, color=PALE)


def _layer(number: int, members: list[Row], top: float) -> Iterator[str]:
    height = len(members) * _ROW + _GAP
    yield box((_LEFT, top), _WIDTH - _LEFT - _MARGIN, height, fill="#f5f7f9", edge="#e1e5ea")
    yield words((_LEFT - 14, top + height / 2 + 5), str(number), size=14, bold=True, anchor="end", color=BLUE)
    for index, row in enumerate(members):
        yield from _chip(row, _LEFT + _PAD, top + _GAP + index * _ROW)


def drawing(page: str) -> str:
    """Return the picture of the layers in the table of `page`, as SVG."""
    parts: list[str] = []
    described: list[str] = []
    top = 20.0
    for number, group in groupby(rows(page), key=lambda row: row.layer):
        members = list(group)
        parts += _layer(number, members, top)
        described.append(f"layer {number}: {', '.join(row.folder or row.modules[0] for row in members)}")
        top += len(members) * _ROW + 2 * _GAP
    middle = top / 2
    parts += [
        arrow([(36, 26), (36, top - 12)]),
        f'<g transform="rotate(-90 26 {middle:g})">',
        words((26, middle), "imports point down", color=INK, size=11, anchor="middle"),
        "</g>",
        box((_LEFT, top + 10), 16, 12, fill="#dcebf5", edge=BLUE),
        words((_LEFT + 22, top + 20.5), "public", color=PALE, size=11),
    ]
    desc = f"From the top, {'; '.join(described)}."
    return picture(_WIDTH, top + 38, "The layers of packagex_async", desc, parts)


if __name__ == "__main__":
    PICTURE.write_text(drawing(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
