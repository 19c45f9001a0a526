"""The former names of modules, classes and functions are not used any more."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "packagex_async"
FILES = sorted(PACKAGE.rglob("*.py"))

_MODULES = """
_redact _brief _caller _json _digests _decode _log _literals _summary _spans _row _disk _keep _partial
_part _whole _layout _names _wire _convert _states _http _intake _pace _resolve _urls _budget _paging
_ahead _waiting _watch _lifecycle _tools _demands _links _tries _gain _crew _transfer downloader _stream
bulk _pending _folder _known _manifest _manifest_line _manifest_reader _inventory tellers
"""
"""Former names of modules."""

_SYMBOLS = """
strike discreet Bounds Coverage Block Span Work asked flows lead Row outlive Measured HOPELESS Memo
Leftovers Part Whole Listing Answer served Declared Identity Link Walk Step _Traces Vigil look Tools Order
vacant Gain Crew distrust proved hired Transfer Lane Board Closing Wish complain pairs UNREAD strikes hear
"""
"""Former names of classes, functions, attributes and constants."""

_WORDS = "most told heard fresh began there bring brings brought vigil crew lane"
"""Words that no name contains."""

MODULES, SYMBOLS, WORDS = (frozenset(names.split()) for names in (_MODULES, _SYMBOLS, _WORDS))


def identifiers(source: str) -> Iterator[str]:
    """Yield all names that a module defines or uses."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.keyword(arg=str(name)) | ast.alias(name=name):
                yield name
            case _:
                pass


def former_names(source: str) -> set[str]:
    """Return the former names in a module."""
    return {
        name
        for name in identifiers(source)
        if name in SYMBOLS or WORDS & set(name.lower().strip("_").split("_"))
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_no_former_name_is_used(file: Path) -> None:
    """Every name is a standard term, and each concept has one name."""
    assert file.stem not in MODULES
    assert former_names(file.read_text(encoding="utf-8")) == set()


def test_former_names_are_found() -> None:
    """Definitions, uses, parameters and keywords are checked."""
    source = "class Vigil: pass\ndef f(most_pages, *, told): return f(asked=told.began, fresh_url=1)"
    assert former_names(source) == {"Vigil", "most_pages", "told", "asked", "began", "fresh_url"}
