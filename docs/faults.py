"""Generates docs/reference/faults.md from the test cases: `python docs/faults.py`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "faults.md"
FAMILIES = sorted((ROOT / "tests" / "faults").glob("test_*.py"))

HEAD = """\
# Fault matrix

<!-- Written by docs/faults.py from tests/faults. -->

This page lists failures of downloads, and the guaranteed result of each. Each of the {count} cases is a
test over real sockets. It runs on the event loops of asyncio and uvloop, and receives bodies through
aiohttp, without aiohttp's parser, and over several connections (except for cases that count the requests of
one connection). After each case, the test checks the same conditions: the target is absent, or the old
file, or the complete object, byte for byte; no partial file, open file or task is left; the report or the
error is correct; and no wait is unlimited.
"""


def sentence(node: ast.Module | ast.AsyncFunctionDef) -> str:
    """Return the docstring of a file or a case as one line of a table."""
    return " ".join((ast.get_docstring(node) or "").split()).replace("|", "\\|")


def cases(family: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the name and the guarantee of each case of a file."""
    for node in family.body:
        if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name.removeprefix("test_").replace("_", " "), sentence(node)


def section(family: ast.Module) -> str:
    """Return the section of a file: title, introduction and table."""
    title, _, introduction = sentence(family).partition(": ")
    rows = [f"| {name} | {promise} |" for name, promise in cases(family)]
    lines = [
        f"## {title}",
        "",
        introduction[:1].upper() + introduction[1:],
        "",
        "| case | guarantee |",
        "|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return the page in Markdown."""
    families = [ast.parse(file.read_text(encoding="utf-8")) for file in FAMILIES]
    count = sum(len(list(cases(family))) for family in families)
    return "\n".join([HEAD.format(count=count), *map(section, families)])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
