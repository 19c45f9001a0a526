"""The help is readable on narrow terminals, and names types as users do."""

from __future__ import annotations

import re

import pytest

from packagex_async.cli import main
from packagex_async.cli.app import EXAMPLES, app

COMMANDS = [name for name in app if not name.startswith("-")]
Help = dict[str, str]


@pytest.fixture(params=["60", "80", "120"])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The width of the terminal."""
    monkeypatch.setenv("COLUMNS", request.param)
    return int(request.param)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits(command: str, width: int, capsys: pytest.CaptureFixture[str]) -> None:
    """No line is too long, no option is broken, and no type of Python is named."""
    assert main([*filter(None, [command]), "--help"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= width
    assert not re.search(r"\b(?:STR|INT|FLOAT|CHOICE|BOOL)\b", text)
    names = [line.split()[1] for line in text.splitlines() if line.startswith("│ --")]
    assert names
    assert [name for name in names if not re.search(r"[a-z]{2}$", name)] == []


def test_lists_keep_their_indentation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The description of an exit code wraps below its text."""
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert "    5  some files are complete, others failed\n" in text
    assert re.search(
        r"^    2  usage or configuration error.*\n       or an invalid option$", text, re.MULTILINE
    )


def test_arguments_of_a_list_end_in_dots(capsys: pytest.CaptureFixture[str]) -> None:
    """The usage line and the panel agree."""
    assert main(["download", "--help"]) == 0
    text = capsys.readouterr().out
    assert "download [OPTIONS] EXPORT_IDS...\n" in text
    assert re.search(r"\*  EXPORT_IDS\.\.\.  ", text)


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_are_valid(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The help of each command ends with examples that can be parsed."""
    assert main([command, "--help"]) == 0
    _, _, shown = capsys.readouterr().out.partition("\nExamples:")
    assert " ".join(shown.split()) == " ".join(f"$ {example}" for example in EXAMPLES[command])
    for example in EXAMPLES[command]:
        words = re.split(r" [|>] ", example)[0].split()[1:]
        app.parse_args(words, exit_on_error=False, print_error=False)
