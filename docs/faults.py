"""The fault matrix as a page, made from the cases themselves: `python docs/faults.py` writes it anew."""

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

What goes wrong with downloads, and what is promised then. Each of these {count} cases is a test over real
sockets, on asyncio's own event loop and on uvloop's, with bodies that come through aiohttp, past its parser,
and over several connections at once (but for the cases that count what only one would do). After every one of
them, the same is checked: the target is absent, or the old file, or the whole object, byte for byte; no
partial, open file or task is left; what the report or the error says is true; and nothing waits for ever.
"""


def sentence(node: ast.Module | ast.AsyncFunctionDef) -> str:
    """The docstring of a file or a case, in one line that fits into a table."""
    return " ".join((ast.get_docstring(node) or "").split()).replace("|", "\\|")


def cases(family: ast.Module) -> Iterator[tuple[str, str]]:
    """The name and the promise of each case of a family."""
    for node in family.body:
        if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name.removeprefix("test_").replace("_", " "), sentence(node)


def section(family: ast.Module) -> str:
    """A family's title, its thought and its table."""
    title, _, thought = sentence(family).partition(": ")
    rows = [f"| {name} | {promise} |" for name, promise in cases(family)]
    lines = [
        f"## {title}",
        "",
        thought[:1].upper() + thought[1:],
        "",
        "| case | promise |",
        "|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The whole page, in Markdown."""
    families = [ast.parse(file.read_text(encoding="utf-8")) for file in FAMILIES]
    count = sum(len(list(cases(family))) for family in families)
    return "\n".join([HEAD.format(count=count), *map(section, families)])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
