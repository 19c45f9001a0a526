"""The pictures in the docs are current and accessible."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SVG = "{http://www.w3.org/2000/svg}"

PAGES = {"layers": "explanation/architecture.md", "transfer": "explanation/downloads.md"}

Script = dict[str, Any]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Script]:
    """Return a function that runs a script of the docs and returns its globals."""
    monkeypatch.syspath_prepend(DOCS)
    return lambda name: runpy.run_path(str(DOCS / f"{name}.py"))


def draw(script: Script) -> str:
    """Return the picture that a script draws now."""
    page = (script["PAGE"].read_text(encoding="utf-8"),) if "PAGE" in script else ()
    svg: str = script["drawing"](*page)
    return svg


@pytest.mark.parametrize("name", PAGES)
def test_a_picture_is_current(name: str, script: Callable[[str], Script]) -> None:
    """`python docs/layers.py` and `python docs/transfer.py` would not change the pictures."""
    assert script(name)["PICTURE"].read_text(encoding="utf-8") == draw(script(name))


@pytest.mark.parametrize("name", PAGES)
def test_a_picture_is_accessible(name: str, script: Callable[[str], Script]) -> None:
    """It has a title and a description, loads nothing, and all boxes are inside the frame."""
    svg = ElementTree.fromstring(draw(script(name)))
    texts = [svg.findtext(f"{SVG}{part}") for part in ("title", "desc")]
    assert all(texts)
    assert not re.search(r"href|url\((?!#)|<image|@import", draw(script(name)))
    width, height = float(svg.attrib["width"]), float(svg.attrib["height"])
    for box in svg.iter(f"{SVG}rect"):
        x, y, wide, high = (float(box.attrib[edge]) for edge in ("x", "y", "width", "height"))
        assert 0 < x < x + wide < width
        assert 0 < y < y + high < height


@pytest.mark.parametrize(("name", "page"), PAGES.items())
def test_a_picture_has_an_alternative_text(name: str, page: str) -> None:
    """The page shows the picture with an alternative text."""
    text = (DOCS / page).read_text(encoding="utf-8")
    assert re.search(rf"^```{{figure}} ../_static/{name}\.svg\n:alt: .{{40,}}$", text, re.MULTILINE)


def test_the_layers_are_those_of_the_table(script: Callable[[str], Script]) -> None:
    """The picture shows every folder, and every module without a folder, in its layer, the highest first."""
    page = "| 2 | `b/` | | b |\n| 1 | | `client` | the client |\n| 1 | `_a/` | `x` `y` | `a` |\n"
    svg = ElementTree.fromstring(script("layers")["drawing"](page))
    words = [text.text for text in svg.iter(f"{SVG}text")]
    assert words[:7] == ["2", "b/", "b", "1", "client.py", "the client", "_a/"]


def test_the_transfer_names_existing_files(script: Callable[[str], Script]) -> None:
    """Each box of the picture names a module of the package."""
    files = [step.file for step in script("transfer")["STEPS"]]
    assert [file for file in files if not (ROOT / "packagex_async" / file).is_file()] == []
