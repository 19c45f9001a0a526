"""Docstrings, comments and Markdown files are plain technical English."""

from __future__ import annotations

import ast
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]

FOLDERS = ("packagex_async", "tests", "docs", "benchmarks", ".")
"""The checked folders; the last one stands for the files in the root only."""

MAX_SHARE = 0.01
"""The maximum share of sentences that match a pattern."""

PATTERNS = {
    name: re.compile(pattern, flags)
    for name, pattern, flags in (
        (
            "opening pronoun",
            r"^(?:\w+: )?(?:Who|Whoever|What|Whatever|Where|Wherever|Whichever)\b(?!.*\?$)",
            0,
        ),
        ("bare who", r"\b(?:who|whoever|whom)\b", re.IGNORECASE),
        ("persons", r"\b(?:nobody|somebody|anybody|everybody|someone|anyone)\b", re.IGNORECASE),
        ("one that", r"\b(?:ones? that|those that|that which|the one (?:that|who|which))\b", re.IGNORECASE),
        ("told", r"\b(?:(?:is|are|was|were|be|been) told|told of|tells? of|telling of)\b", re.IGNORECASE),
        ("brings", r"\b(?:bring|brings|bringing|brought)\b", re.IGNORECASE),
        ("goes on", r"\b(?:go|goes|going|gone|went) on\b", re.IGNORECASE),
        (
            "inversion",
            r"\bthere is none\b|\bis none\b|\bare none\b|^(?:Nor|Not) (?:is|are|does|do|has|have)\b",
            0,
        ),
        ("own", r"\bof (?:its|their|his|one's|our|your) own\b", re.IGNORECASE),
        (
            "metaphor",
            r"\b(?:far side|vigil|crew|dice|guests?|house|floor|doors?|lanes?|hand(?:s|ed)? out|wedged?"
            r"|strikes?|struck|befalls?|vouch(?:es)?|farewell|swept|amid)\b",
            re.IGNORECASE,
        ),
    )
}
"""Patterns of sentences that need a second reading."""


class Sentence(NamedTuple):
    """A sentence and the file that contains it."""

    file: Path
    text: str


def sentences(text: str) -> Iterator[str]:
    """Split prose into sentences."""
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*|#>]|\d+\.|\w[\w ]*: ))", text):
        plain = re.sub(r"``?[^`]*``?", "`code`", " ".join(paragraph.split()).strip("|#-*> "))
        for sentence in re.split(r"(?<=[.!?;]) +|(?<=:) +(?=[A-Z])| \| ", plain):
            if re.search(r"\w\W+\w", sentence):
                yield sentence


def comments(source: str) -> Iterator[str]:
    """Yield the blocks of comments of a module."""
    block: list[str] = []
    last_line = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and not re.match(
            r"#\s*(?:type:|pyright:|noqa|fmt:|pragma)", token.string
        ):
            if block and token.start[0] != last_line + 1:
                yield "\n".join(block)
                block = []
            block.append(token.string.lstrip("# "))
            last_line = token.start[0]
    if block:
        yield "\n".join(block)


def docstrings(source: str) -> Iterator[str]:
    """Yield the docstrings of a module, those of constants included."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield textwrap.dedent(node.value.value)


def prose(file: Path) -> Iterator[str]:
    """Yield the texts of a file."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".md":
        yield re.sub(r"^(```|~~~).*?^\1|<!--.*?-->", "", text, flags=re.MULTILINE | re.DOTALL)
    else:
        yield from docstrings(text)
        yield from comments(text)


def files(folder: str) -> list[Path]:
    """Return the Python and Markdown files of a folder."""
    pattern = "*" if folder == "." else "**/*"
    paths = (path for path in (ROOT / folder).glob(pattern) if path.suffix in (".py", ".md"))
    return sorted(path for path in paths if "_build" not in path.parts)


def matches(text: str) -> list[str]:
    """Return the names of the patterns that a sentence matches."""
    return [name for name, pattern in PATTERNS.items() if pattern.search(text)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_sentences_are_plain(folder: str) -> None:
    """Fewer than 1 % of the sentences of a folder match a pattern."""
    found = [
        Sentence(file, sentence)
        for file in files(folder)
        if file != Path(__file__)
        for text in prose(file)
        for sentence in sentences(text)
    ]
    matching = [sentence for sentence in found if matches(sentence.text)]
    report = "\n".join(f"{file.relative_to(ROOT)}: {matches(text)} {text}" for file, text in matching)
    assert len(matching) < MAX_SHARE * max(len(found), 100), f"{len(matching)} of {len(found)}:\n{report}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Who fetches an artifact has other ways.", ["opening pronoun", "bare who"]),
        ("What was asked for is kept.", ["opening pronoun"]),
        ("What does it do?", []),
        (
            "A stream that goes on where one that is told of brings bytes.",
            ["one that", "told", "brings", "goes on"],
        ),
        ("The far side answers.", ["metaphor"]),
        ("The server sends the object.", []),
    ],
)
def test_patterns_are_found(text: str, expected: list[str]) -> None:
    """Each pattern matches a sentence that needs a second reading, and no plain one."""
    assert matches(text) == expected


def test_prose_is_split_into_sentences() -> None:
    """Code, tables and lists are separated."""
    text = "One `code.py` sentence. Another one; a third part.\n\n- An item\n| a cell here | another cell |"
    assert list(sentences(text)) == [
        "One `code` sentence.",
        "Another one;",
        "a third part.",
        "An item",
        "a cell here",
        "another cell",
    ]
