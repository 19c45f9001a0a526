"""The pages that users read, and the blocks on them.

What is run but need not be seen stands in a comment:

    <!-- invisible-code-block: python
    assert "exp_" in shown
    -->
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import starmap
from pathlib import Path

from markdown_it import MarkdownIt
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser
from sybil.typing import Evaluator

ROOT = Path(__file__).parents[2]
PAGES = [
    page
    for page in (
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
    )
    if page.exists() and "docs/_build" not in page.as_posix()
]

RUN = ("python", "sh")
LANGUAGES = {*RUN, "text", "json", "ini", "toml", "yaml"}
"""What a block may be written in; those that are not run hold nothing that could be."""

_INSTALLS = re.compile(r"\.venv/|\b(?:git|nox|pip|pre-commit)\b")


def name_of(page: Path) -> str:
    """A page as tests call it."""
    return page.relative_to(ROOT).as_posix()


def parse(page: Path, **evaluators: Evaluator) -> Document:
    """A page with its blocks of those languages, each with what evaluates it."""
    return Document.parse(str(page), *starmap(CodeBlockParser, evaluators.items()))


def is_shown(example: Example) -> bool:
    """Whether a reader sees the block."""
    return "directive" not in example.region.lexemes


def installs(example: Example) -> bool:
    """Whether the block works on a checkout, in which it installs things."""
    return example.region.lexemes["arguments"] == "sh" and bool(_INSTALLS.search(example.parsed))


def blocks(text: str, above: int = 0) -> Iterator[tuple[int, str]]:
    """The line and the language of every block, as CommonMark has it; directives are looked into."""
    for token in MarkdownIt().parse(text):
        if token.type in ("fence", "code_block") and token.map:
            line, language = above + token.map[0] + 1, token.info.strip()
            yield line, language
            if language.startswith("{"):
                yield from blocks(token.content, line)
