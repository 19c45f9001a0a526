"""Messages at the command line name options, not parameters of Python."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import packagex_async
from packagex_async import AsyncExports, AsyncPackageX
from packagex_async.cli.messages.option_names import OPTIONS, use_option_names

PACKAGE = Path(packagex_async.__file__).parent

NOT_SET_BY_COMMANDS = {
    "connector", "export", "include_csv", "include_json", "on_change", "on_progress", "on_prune", "on_wait",
    "prefetch", "retry", "self", "size", "ssl", "trace_configs", "types",
}  # fmt: skip
"""Parameters that no command passes, or that it passes unchanged."""

KEYWORD = re.compile(r"\b[a-z]\w*=(?:True|False|None|\.\.\.|'\w*'|\"\w*\")")
"""A keyword argument of Python in a message."""


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("segments must be 8 or less, not 9", "--segments must be 8 or less, not 9"),
        ("RetryPolicy.attempts must be 1 or more", "--attempts must be 1 or more"),
        ("statuses is empty; omit it", "--statuses is empty; omit it"),
        ("base_url 'ftp://a' cannot be used: use https", "--base-url 'ftp://a' cannot be used: use https"),
        ("options: limit must be positive", "--options: limit must be positive"),
        ("a.csv exists: pass overwrite=True to replace it", "a.csv exists: use --overwrite to replace it"),
        ("pass resume=False to start again", "use --no-resume to start again"),
        ('types needs format="parquet"', "types needs --format parquet"),
        ("allowed only if base_url is loopback", "allowed only if --base-url is loopback"),
        (
            "look with list(resource=..., direction='desc')",
            "look with packagex-exports list --direction desc",
        ),
        ("no API key: pass api_key, or set PX_API_KEY", "no API key: set PX_API_KEY"),
        ("other=True and a_b remain", "other=True and a_b remain"),
        ("artifact csv: the hash differs", "artifact csv: the hash differs"),
    ],
)
def test_parameters_are_replaced(message: str, expected: str) -> None:
    """Other words are unchanged."""
    assert use_option_names(message) == expected


def test_labels_take_precedence() -> None:
    """A setting may come from a variable or a file."""
    message = use_option_names("base_url 'a' cannot be used", {"base_url": "PX_BASE_URL"})
    assert message == "PX_BASE_URL 'a' cannot be used"


def parameters() -> set[str]:
    """Return the names of all parameters of public methods."""
    methods = [AsyncPackageX, *(method for name, method in vars(AsyncExports).items() if name[0] != "_")]
    methods += [AsyncExports.list, AsyncExports.create, AsyncExports.wait]
    signatures = [inspect.signature(method) for method in methods if callable(method)]
    return {name for signature in signatures for name in signature.parameters}


@pytest.mark.parametrize("name", sorted(parameters() - NOT_SET_BY_COMMANDS))
def test_every_parameter_has_an_option(name: str) -> None:
    """A message about an invalid value names the option."""
    message = use_option_names(f"{name} must be 1 or more, not 0")
    assert not message.startswith(name)
    assert message.startswith(OPTIONS[name])


def messages() -> Iterator[tuple[str, str]]:
    """Yield the strings that commands may print and that are not docstrings, with their files."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] in ("cli", "integrations", "testing"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield str(path.relative_to(PACKAGE)), node.value


def test_no_message_contains_a_keyword_argument() -> None:
    """Each keyword argument in a message of the SDK is replaced by an option."""
    found = [(path, text) for path, text in messages() if KEYWORD.search(text)]
    assert found != []
    assert [text for text in found if KEYWORD.search(use_option_names(text[1]))] == []
