"""The pages for users, and their code blocks.

A block that runs but is not displayed is in a comment:

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
"""The languages of blocks. Blocks in languages that are not in `RUN` contain nothing to run."""

_INSTALLS = re.compile(r"\.venv/|\b(?:git|nox|pip|pre-commit)\b")

_IMPORTS = re.compile(r"^(?:import|from) (?:duckdb|pandas|polars|psycopg|pyarrow)\b", re.MULTILINE)

ORCHESTRATORS = ("airflow.md", "dagster.md", "prefect.md")
"""The pages whose programs `nox -s orchestrators` runs."""

INTEGRATIONS = ("dlt.md",)
"""The pages that the session of each integration runs."""

CLUSTERS = ("many-machines.md",)
"""The pages whose programs `nox -s dask` runs."""


def name_of(page: Path) -> str:
    """Return the name of a page in test ids."""
    return page.relative_to(ROOT).as_posix()


def parse(page: Path, **evaluators: Evaluator) -> Document:
    """Parse a page; each keyword is a language, and its value evaluates blocks of that language."""
    return Document.parse(str(page), *starmap(CodeBlockParser, evaluators.items()))


def is_shown(example: Example) -> bool:
    """Return whether the block is displayed."""
    return "directive" not in example.region.lexemes


def installs(example: Example) -> bool:
    """Return whether the block installs packages in a checkout."""
    return example.region.lexemes["arguments"] == "sh" and bool(_INSTALLS.search(example.parsed))


def needs_databases(page: Path) -> bool:
    """Return whether the blocks of a page import packages that only `nox -s databases` installs."""
    return _IMPORTS.search(page.read_text(encoding="utf-8")) is not None


def blocks(text: str, above: int = 0) -> Iterator[tuple[int, str]]:
    """Yield the line and the language of every CommonMark block, including those inside directives."""
    for token in MarkdownIt().parse(text):
        if token.type in ("fence", "code_block") and token.map:
            line, language = above + token.map[0] + 1, token.info.strip()
            yield line, language
            if language.startswith("{"):
                yield from blocks(token.content, line)
