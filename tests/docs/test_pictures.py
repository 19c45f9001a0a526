"""The pictures in the docs are the ones that their scripts would draw, and anybody can read them."""

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
    """What a script of the docs defines, read as if it were run from its folder."""
    monkeypatch.syspath_prepend(DOCS)
    return lambda name: runpy.run_path(str(DOCS / f"{name}.py"))


def drawn(script: Script) -> str:
    """What a script would draw today."""
    page = (script["PAGE"].read_text(encoding="utf-8"),) if "PAGE" in script else ()
    svg: str = script["drawing"](*page)
    return svg


@pytest.mark.parametrize("name", PAGES)
def test_a_picture_is_current(name: str, script: Callable[[str], Script]) -> None:
    """`python docs/layers.py` and `python docs/transfer.py` would draw what is there."""
    assert script(name)["PICTURE"].read_text(encoding="utf-8") == drawn(script(name))


@pytest.mark.parametrize("name", PAGES)
def test_a_picture_can_be_read_by_everybody(name: str, script: Callable[[str], Script]) -> None:
    """It has a title and a description, nothing of it comes from elsewhere, and all fits on the card."""
    svg = ElementTree.fromstring(drawn(script(name)))
    told = [svg.findtext(f"{SVG}{part}") for part in ("title", "desc")]
    assert all(told)
    assert not re.search(r"href|url\((?!#)|<image|@import", drawn(script(name)))
    width, height = float(svg.attrib["width"]), float(svg.attrib["height"])
    for box in svg.iter(f"{SVG}rect"):
        x, y, wide, high = (float(box.attrib[edge]) for edge in ("x", "y", "width", "height"))
        assert 0 < x < x + wide < width
        assert 0 < y < y + high < height


@pytest.mark.parametrize(("name", "page"), PAGES.items())
def test_a_picture_is_shown_with_words_for_it(name: str, page: str) -> None:
    """The page that it belongs to has it, with a text for who cannot see it."""
    text = (DOCS / page).read_text(encoding="utf-8")
    assert re.search(rf"^```{{figure}} ../_static/{name}\.svg\n:alt: .{{40,}}$", text, re.MULTILINE)


def test_the_layers_are_those_of_the_table(script: Callable[[str], Script]) -> None:
    """Every folder and every module without a folder is in its layer, the highest first."""
    page = "| 2 | `b/` | | b |\n| 1 | | `client` | the client |\n| 1 | `_a/` | `x` `y` | `a` |\n"
    svg = ElementTree.fromstring(script("layers")["drawing"](page))
    words = [text.text for text in svg.iter(f"{SVG}text")]
    assert words[:7] == ["2", "b/", "b", "1", "client.py", "the client", "_a/"]


def test_the_transfer_names_files_that_there_are(script: Callable[[str], Script]) -> None:
    """Each box says which file of the code sees to it."""
    files = [step.file for step in script("transfer")["STEPS"]]
    assert [file for file in files if not (ROOT / "packagex_async" / file).is_file()] == []
