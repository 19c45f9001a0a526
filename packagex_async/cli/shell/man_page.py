"""The manual page, generated from the help."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from typing import Any

from cyclopts import App
from cyclopts.help import DescriptionRenderer, HelpEntry, HelpPanel
from rich.console import Console, ConsoleOptions

from packagex_async.cli.shell.help_formatter import plain_text, with_value_name

_PROGRAM = "packagex-exports"
_WIDTH = 100_000
"""A width at which no text is wrapped. The reader's program wraps it."""

_HEADER = (
    '.TH PACKAGEX\\-EXPORTS 1 "" "packagex\\-async" "User Commands"',
    ".SH NAME",
    "packagex\\-exports \\- list, create and download exports of a PackageX organization",
)


def man_page(app: App) -> str:
    """Return the manual page of `app` and its commands, in the macro language `man`."""
    app.resolved_commands()  # The list of commands gets their descriptions.
    page = _ManPage()
    page.add_help(app, [])
    for name in sorted(name for name in app if not name.startswith("-") and app[name].show):
        page.add_help(app, [name])
    return "".join(f"{line}\n" for line in page.lines)


class _ManPage:
    """A formatter of the help that collects the lines of the page."""

    def __init__(self) -> None:
        self.lines: list[str] = list(_HEADER)

    def add_help(self, app: App, command: list[str]) -> None:
        """Add the help of a command; without a command, that of the application."""
        title = " ".join([_PROGRAM, *command]) if command else "SYNOPSIS"
        self.lines.append(f'.SH "{_escape(title)}"')
        console = Console(file=io.StringIO(), width=_WIDTH)
        formatter, app.help_formatter = app.help_formatter, self
        try:
            app.help_print(command, console=console)
        finally:
            app.help_formatter = formatter
        if command and (examples := app[command[0]].help_epilogue):
            self._add_text(examples.replace("\\\n", "\n").replace("\n$", "\n  $"))

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """Add the usage line."""
        self.lines.append(f"\\fB{_escape(plain_text(usage).strip().removeprefix('Usage: '))}\\fR")

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:
        """Add the description."""
        self._add_text(plain_text(description))

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Add a panel as a list of terms."""
        if not panel.entries:
            return
        self.lines.append(f'.SS "{_escape(plain_text(panel.title).strip())}"')
        for entry in map(with_value_name, panel.entries):
            self.lines += (".TP", f"\\fB{_escape(_term(entry))}\\fR")
            self.lines += _text_lines([plain_text(DescriptionRenderer()(entry)).strip()])

    def _add_text(self, text: str) -> None:
        """Add paragraphs. Indented lines are not filled."""
        for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
            lines = paragraph.splitlines()
            is_literal = lines[-1].startswith(" ")
            self.lines.append(".PP")
            if is_literal:
                self.lines += (".nf", *_text_lines(lines), ".fi")
            else:
                self.lines += _text_lines(line.strip() for line in lines)


def _term(entry: HelpEntry) -> str:
    return " ".join(entry.display_labels_with_metavar)


def _text_lines(lines: Iterable[str]) -> list[str]:
    return [_escape(line) for line in lines]


def _escape(text: str) -> str:
    """Escape the characters that have a meaning for the program man."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("`", "\\(ga")
    escaped = escaped.replace("'", "\\(aq").replace("~", "\\(ti").replace("^", "\\(ha")
    return f"\\&{escaped}" if escaped.startswith(".") else escaped
